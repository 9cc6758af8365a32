use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower_service::Service;

use crate::lock::Lock;

/// Makes a service that is not `Clone` one that is: its clones take turns, first come, first
/// served.
///
/// One has its turn from when it is ready, or asks to be, until its call has begun or it is
/// dropped; the answers of several calls may be under way at once, if the service allows that.
///
/// ```
/// use tower::{Layer, Service, ServiceExt, service_fn};
/// use wt_balance::{BalanceLayer, Exclusive};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// // Not `Clone`: it counts.
/// let maker = |target: &'static str| {
///     let mut calls = Box::new(0..);
///     let counted = service_fn(move |(): ()| std::future::ready(Ok::<_, std::io::Error>((target, calls.next()))));
///     Exclusive::new(counted)
/// };
/// let mut balance = BalanceLayer::new(["one"]).layer(maker);
///
/// assert_eq!(balance.ready().await?.call(()).await?, ("one", Some(0)));
/// assert_eq!(balance.clone().ready().await?.call(()).await?, ("one", Some(1)));
/// # Ok(())
/// # }
/// ```
pub struct Exclusive<S> {
    shared: Arc<Shared<S>>,
    turn: PollSemaphore,
    /// Never locked: it makes this `Sync`, whatever the service is.
    held: Lock<Option<Held<S>>>,
}

struct Shared<S> {
    /// One permit: a turn.
    turns: Arc<Semaphore>,
    /// There, whenever it is nobody's turn.
    service: Lock<Option<S>>,
}

/// The service, taken for a turn, which ends when this is dropped.
struct Held<S> {
    shared: Arc<Shared<S>>,
    service: Option<S>,
    // Dropped last.
    _permit: OwnedSemaphorePermit,
}

impl<S> Exclusive<S> {
    /// Takes the service.
    #[must_use]
    pub fn new(service: S) -> Self {
        Self::of(Arc::new(Shared {
            turns: Arc::new(Semaphore::new(1)),
            service: Lock::new(Some(service)),
        }))
    }

    fn of(shared: Arc<Shared<S>>) -> Self {
        Self {
            turn: PollSemaphore::new(Arc::clone(&shared.turns)),
            shared,
            held: Lock::new(None),
        }
    }
}

impl<S: Service<Req>, Req> Service<Req> for Exclusive<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let held = self.held.get_mut();
        if held.is_none() {
            let permit = ready!(self.turn.poll_acquire(cx)).expect("it is never closed");
            *held = Some(Held {
                service: self.shared.service.lock().take(),
                shared: Arc::clone(&self.shared),
                _permit: permit,
            });
        }
        let service = held.as_mut().and_then(|held| held.service.as_mut());
        service.expect("it is back after each turn").poll_ready(cx)
    }

    /// Calls the service, and ends the turn.
    ///
    /// # Panics
    ///
    /// If it is not ready.
    fn call(&mut self, request: Req) -> S::Future {
        let mut held = self.held.get_mut().take();
        let service = held.as_mut().and_then(|held| held.service.as_mut());
        service.expect("called without being ready").call(request)
    }
}

impl<S> Drop for Held<S> {
    fn drop(&mut self) {
        let service = self.service.take();
        *self.shared.service.lock() = service;
    }
}

impl<S> Clone for Exclusive<S> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.shared))
    }
}

impl<S> fmt::Debug for Exclusive<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusive").finish_non_exhaustive()
    }
}

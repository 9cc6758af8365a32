use std::sync::Arc;
use std::task::{Context, Poll};

use tower::load::{CompleteOnResponse, TrackCompletion};
use tower_service::Service;

use crate::idle::tracker::Tracker;
use crate::idle::{IdleFuture, IdleHandle, InFlight};

/// A service whose use is tracked; see [`IdleLayer`](crate::IdleLayer).
///
/// It is watched from when it is made, or from its first call on if it is made outside of a tokio
/// runtime; in a task that ends with the last clone, handle and call.
///
/// # Clone
///
/// Clones are tracked together.
#[derive(Clone, Debug)]
pub struct Idle<S, Tc = CompleteOnResponse> {
    service: S,
    tracker: Arc<Tracker>,
    completion: Tc,
}

impl<S, Tc> Idle<S, Tc> {
    pub(super) fn new(service: S, tracker: Arc<Tracker>, completion: Tc) -> Self {
        Self {
            service,
            tracker,
            completion,
        }
    }

    /// What is known of its use, and the way to record other activity.
    #[must_use]
    pub fn handle(&self) -> IdleHandle {
        IdleHandle::new(Arc::clone(&self.tracker))
    }

    /// The service that is tracked.
    pub fn get_ref(&self) -> &S {
        &self.service
    }

    /// The service that is tracked; what is done with it here is not.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.service
    }
}

impl<S, Req, Tc> Service<Req> for Idle<S, Tc>
where
    S: Service<Req>,
    Tc: TrackCompletion<InFlight, S::Response>,
{
    type Response = Tc::Output;
    type Error = S::Error;
    type Future = IdleFuture<S::Future, Tc>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    /// # Panics
    ///
    /// Panics outside of a tokio runtime with its time enabled.
    fn call(&mut self, request: Req) -> Self::Future {
        self.tracker.watch();
        let in_flight = InFlight::new(Arc::clone(&self.tracker));
        let future = self.service.call(request);
        IdleFuture::new(future, in_flight, self.completion.clone())
    }
}

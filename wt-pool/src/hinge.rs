use std::fmt;
use std::hash::Hash;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tower::load::{CompleteOnResponse, TrackCompletion};
use tower::{BoxError, MakeService};
use tower_service::Service;

use crate::checkout::Checkout;
use crate::deadline::Deadline;
use crate::error::PoolError;
use crate::future::ResponseFuture;
use crate::home::Home;
use crate::lock::Lock;
use crate::owner::Owned;
use crate::pooled::Pooled;

/// A pool bound to one target: a service that sends each request on a connection of that target.
///
/// # Readiness
///
/// Ready while it holds a slot on a connection that is ready itself; `call` spends the slot, drop
/// gives it back. `Pending` while it waits, in line with everybody else: a connect that fails is
/// tried again, at the pool's pace, and the place in line is kept. Having waited for the acquire
/// timeout, it is ready once, and that call fails with what has kept it: the last
/// [`PoolError::Connect`], or [`PoolError::TimedOut`]. So it is at once if too many wait,
/// [`PoolError::QueueFull`]. `Err` once the pool is closed or the target drained: it is of no use
/// any more.
///
/// One that is asked, and dropped instead of waiting, still has a first connection made, so that
/// whoever asks again later finds it.
///
/// # Errors
///
/// A [`PoolError`] inside, or the connection's own error, unchanged.
///
/// # Clone
///
/// A clone holds no slot, and waits for its own. It allocates nothing.
pub struct PoolService<M, T, Req, Tc = CompleteOnResponse>
where
    M: MakeService<T, Req>,
{
    bound: Arc<Bound<M, T, Req>>,
    completion: Tc,
    /// Never locked: it makes this `Sync`, whatever the connection is.
    state: Lock<State<M::Service>>,
}

/// What the clones of one hinge share.
struct Bound<M, T, Req>
where
    M: MakeService<T, Req>,
{
    owned: Arc<Owned<M, T, Req>>,
    home: Arc<Home<M::Service>>,
}

enum State<C> {
    Idle,
    Waiting(Checkout<C>),
    Lent(Pooled<C>, Deadline),
    /// It has waited in vain, and its call says why.
    Spent(PoolError),
}

impl<M, T, Req, Tc> PoolService<M, T, Req, Tc>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Req: 'static,
{
    pub(crate) fn new(owned: &Arc<Owned<M, T, Req>>, target: &T, completion: Tc) -> Self {
        let bound = Bound {
            home: owned.hold(target),
            owned: Arc::clone(owned),
        };
        Self {
            bound: Arc::new(bound),
            completion,
            state: Lock::new(State::Idle),
        }
    }
}

impl<M, T, Req, Tc> PoolService<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
{
    /// Lends a connection for as long as the caller wants it, for several requests say; as
    /// [`Pool`](crate::Pool)'s own service does, but without looking for the target.
    ///
    /// The slot that this service holds if it is ready is not touched.
    ///
    /// # Errors
    ///
    /// The future fails as that of the pool does.
    #[inline(always)]
    pub fn checkout(&self) -> Checkout<M::Service> {
        Checkout::new(&self.bound.home, false)
    }
}

impl<M, T, Req> Drop for Bound<M, T, Req>
where
    M: MakeService<T, Req>,
{
    fn drop(&mut self) {
        self.owned.let_go(&self.home);
    }
}

impl<M, T, Req, Tc> Service<Req> for PoolService<M, T, Req, Tc>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    M::Error: Into<BoxError>,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Tc: TrackCompletion<Pooled<M::Service>, M::Response>,
    Req: 'static,
{
    type Response = Tc::Output;
    type Error = BoxError;
    type Future = ResponseFuture<<M::Service as Service<Req>>::Future, M::Service, Tc>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let home = &self.bound.home;
        let state = self.state.get_mut();
        loop {
            *state = match state {
                // Idle => Waiting, in line
                State::Idle => State::Waiting(Checkout::new(home, true)),
                // Waiting => Lent, by hand-off; or Spent, if it has waited for too long
                State::Waiting(checkout) => match ready!(Pin::new(&mut *checkout).poll(cx)) {
                    Ok(lent) => State::Lent(lent, checkout.take_deadline()),
                    Err(gone @ (PoolError::Closed | PoolError::Draining)) => {
                        *state = State::Idle;
                        return Poll::Ready(Err(gone.into()));
                    }
                    Err(error) => State::Spent(home.why(error)),
                },
                // Lent => Waiting, in its old place, if the connection is gone
                State::Lent(lent, deadline) => match lent.poll_usable(cx) {
                    Poll::Ready(true) => {
                        // What is waited for from here on is another wait.
                        *deadline = Deadline::default();
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(false) => again(mem::replace(state, State::Idle)),
                    // Lent => Spent, if the connection has been busy for too long
                    Poll::Pending => {
                        let limit = home.common.rules.acquire_timeout;
                        State::Spent(home.timed_out(ready!(deadline.poll(limit, cx))))
                    }
                },
                State::Spent(_) => return Poll::Ready(Ok(())),
            };
        }
    }

    /// Sends the request on the connection whose slot is held.
    ///
    /// # Panics
    ///
    /// Panics if the service is not ready.
    fn call(&mut self, request: Req) -> Self::Future {
        match mem::replace(self.state.get_mut(), State::Idle) {
            State::Lent(mut lent, ..) => {
                let answer = lent.call(request);
                ResponseFuture::new(answer, lent, self.completion.clone())
            }
            State::Spent(error) => ResponseFuture::refused(error),
            State::Idle | State::Waiting(_) => panic!("called without being ready"),
        }
    }
}

fn again<C>(state: State<C>) -> State<C> {
    match state {
        State::Lent(dead, deadline) => State::Waiting(Checkout::again(dead, deadline)),
        other => other,
    }
}

impl<M, T, Req, Tc> Clone for PoolService<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
    Tc: Clone,
{
    fn clone(&self) -> Self {
        Self {
            bound: Arc::clone(&self.bound),
            completion: self.completion.clone(),
            state: Lock::new(State::Idle),
        }
    }
}

impl<M, T, Req, Tc> fmt::Debug for PoolService<M, T, Req, Tc>
where
    M: MakeService<T, Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolService").finish_non_exhaustive()
    }
}

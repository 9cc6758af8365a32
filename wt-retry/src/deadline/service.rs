use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tower::BoxError;
use tower_service::Service;

use crate::deadline::future::DeadlineFuture;
use crate::mark::{Mark, Unmarked};

/// Bounds a call and its wait for readiness.
///
/// It is always ready itself: each call waits for a clone of the service below, and that wait
/// counts. So whoever is above limits how many calls wait. A failure of the service below passes
/// unchanged.
///
/// # Errors
///
/// A call that is not answered in time fails with
/// [`DeadlineExceeded`](crate::DeadlineExceeded), to be told by `downcast_ref`.
#[derive(Clone, Debug)]
pub struct Deadline<S, M = Unmarked> {
    pub(crate) inner: S,
    pub(crate) limit: Duration,
    pub(crate) mark: M,
}

impl<S, M> Deadline<S, M> {
    /// The service below.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service below.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service below.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, M, Req> Service<Req> for Deadline<S, M>
where
    S: Service<Req, Error: Into<BoxError>> + Clone,
    M: Mark<Req>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = DeadlineFuture<S, Req>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// # Panics
    ///
    /// If it is outside of a tokio runtime with timers.
    fn call(&mut self, mut req: Req) -> Self::Future {
        let now = Instant::now();
        let attempt = self.mark.read(&req);
        let mut sleep = sleep(self.limit);
        if let Some(earlier) = attempt.deadline().filter(|at| *at < sleep.deadline()) {
            sleep = sleep_until(earlier);
        }
        let deadline = sleep.deadline();
        self.mark.write(&mut req, attempt.with_deadline(deadline));
        let limit = deadline.saturating_duration_since(now);
        DeadlineFuture::new(self.inner.clone(), req, sleep, limit)
    }
}

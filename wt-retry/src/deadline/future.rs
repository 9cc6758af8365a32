use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use tower::BoxError;
use tower::util::Oneshot;
use tower_service::Service;

use crate::deadline::error::DeadlineExceeded;

/// The future of a [`Deadline`](super::Deadline).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct DeadlineFuture<S, Req>
where
    S: Service<Req>,
{
    /// `None` once the deadline has passed: what it held is free, even if this is kept.
    #[pin]
    call: Option<Oneshot<S, Req>>,
    #[pin]
    sleep: Sleep,
    limit: Duration,
}

impl<S, Req> DeadlineFuture<S, Req>
where
    S: Service<Req>,
{
    pub(crate) fn new(service: S, req: Req, sleep: Sleep, limit: Duration) -> Self {
        Self {
            call: Some(Oneshot::new(service, req)),
            sleep,
            limit,
        }
    }
}

impl<S, Req> Future for DeadlineFuture<S, Req>
where
    S: Service<Req, Error: Into<BoxError>>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = this.call.as_mut().as_pin_mut().expect(UNENDED);
        if let Poll::Ready(result) = call.poll(cx) {
            return Poll::Ready(result.map_err(Into::into));
        }
        // A call that uses up what a task may do in one go does not keep the timer from it.
        ready!(pin!(unconstrained(this.sleep)).poll(cx));
        this.call.set(None);
        Poll::Ready(Err(DeadlineExceeded::after(*this.limit).into()))
    }
}

impl<S, Req> fmt::Debug for DeadlineFuture<S, Req>
where
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineFuture")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

const UNENDED: &str = "a future is not polled once it is ready";

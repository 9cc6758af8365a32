use std::fmt;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tower::load::Load;
use tower_service::Service;

use crate::classify::{ByError, Classify};
use crate::future::ResponseFuture;
use crate::seat::Seat;

/// One backend, if it is not ejected; see the [crate docs](crate).
#[derive(Clone)]
pub struct Health<S, C = ByError> {
    inner: S,
    seat: Seat,
    classify: C,
    overdue: Option<Duration>,
}

impl<S, C> Health<S, C> {
    pub(crate) fn new(inner: S, seat: Seat, classify: C, overdue: Option<Duration>) -> Self {
        Self {
            inner,
            seat,
            classify,
            overdue,
        }
    }

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

    /// Whether calls may pass, as far as this layer is concerned: the backend is neither out of
    /// rotation, nor has it to prove itself.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.seat.is_open()
    }
}

impl<S, C, Req> Service<Req> for Health<S, C>
where
    S: Service<Req>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        ready!(self.seat.poll_ready(cx));
        let Poll::Ready(ready) = self.inner.poll_ready(cx) else {
            self.seat.waits();
            return Poll::Pending;
        };
        if let Err(error) = &ready {
            let outcome = self.classify.classify(Err(error));
            let cell = self.seat.cell();
            cell.record(cell.gate().epoch(), outcome);
        }
        Poll::Ready(ready)
    }

    #[inline]
    fn call(&mut self, req: Req) -> Self::Future {
        let call = self.seat.call(self.overdue);
        ResponseFuture::new(self.inner.call(req), call, self.classify.clone())
    }
}

impl<S: Load, C> Load for Health<S, C> {
    type Metric = S::Metric;

    fn load(&self) -> S::Metric {
        self.inner.load()
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Health<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("inner", &self.inner)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

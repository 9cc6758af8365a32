use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use crate::call::Call;
use crate::classify::{ByError, Classify};

/// The future of a [`Health`](crate::Health).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct ResponseFuture<F, C = ByError> {
    #[pin]
    future: F,
    call: Call,
    classify: C,
}

impl<F, C> ResponseFuture<F, C> {
    #[inline]
    pub(crate) fn new(future: F, call: Call, classify: C) -> Self {
        Self {
            future,
            call,
            classify,
        }
    }
}

impl<F, C, R, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<R, E>>,
    C: Classify<R, E>,
{
    type Output = Result<R, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(cx));
        this.call.end(this.classify.classify(result.as_ref()));
        Poll::Ready(result)
    }
}

impl<F, C> fmt::Debug for ResponseFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

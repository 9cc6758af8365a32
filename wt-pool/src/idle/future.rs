use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower::load::TrackCompletion;

use crate::idle::InFlight;

/// The answer of a service whose use is tracked.
#[must_use = "futures do nothing unless polled"]
#[pin_project::pin_project]
pub struct IdleFuture<F, Tc> {
    #[pin]
    future: F,
    in_flight: Option<InFlight>,
    completion: Tc,
}

impl<F, Tc> IdleFuture<F, Tc> {
    pub(super) fn new(future: F, in_flight: InFlight, completion: Tc) -> Self {
        Self {
            future,
            in_flight: Some(in_flight),
            completion,
        }
    }
}

impl<F, Tc, R, E> Future for IdleFuture<F, Tc>
where
    F: Future<Output = Result<R, E>>,
    Tc: TrackCompletion<InFlight, R>,
{
    type Output = Result<Tc::Output, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        let in_flight = this.in_flight.take().expect("polled after completion");
        Poll::Ready(answer.map(|response| this.completion.track_completion(in_flight, response)))
    }
}

impl<F, Tc> fmt::Debug for IdleFuture<F, Tc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdleFuture")
    }
}

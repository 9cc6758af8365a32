use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tower::BoxError;
use tower::load::TrackCompletion;

use crate::answer::Answer;
use crate::error::PoolError;
use crate::pooled::Pooled;

/// The answer of a connection that was lent for one call, or why none was.
///
/// # Cancel safety
///
/// Dropped, it gives the connection back; the call is unanswered then, as the docs of
/// [`PoolLayer::validate`](crate::PoolLayer::validate) have it.
#[must_use = "futures do nothing unless polled"]
#[pin_project::pin_project(project = CallProject)]
pub struct ResponseFuture<F, C, Tc> {
    #[pin]
    call: Call<F, C, Tc>,
}

#[pin_project::pin_project(project = Project)]
enum Call<F, C, Tc> {
    Sent {
        // Dropped before what is lent, which then comes back with what became of the call.
        #[pin]
        answer: Answer<F, C>,
        lent: Option<Pooled<C>>,
        completion: Tc,
    },
    Refused(PoolError),
}

impl<F, C, Tc> ResponseFuture<F, C, Tc> {
    pub(crate) fn new(answer: Answer<F, C>, lent: Pooled<C>, completion: Tc) -> Self {
        let call = Call::Sent {
            answer,
            lent: Some(lent),
            completion,
        };
        Self { call }
    }

    pub(crate) fn refused(error: PoolError) -> Self {
        Self {
            call: Call::Refused(error),
        }
    }
}

impl<F, C, Tc, R, E> Future for ResponseFuture<F, C, Tc>
where
    F: Future<Output = Result<R, E>>,
    Tc: TrackCompletion<Pooled<C>, R>,
    E: Into<BoxError>,
{
    type Output = Result<Tc::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            Project::Refused(error) => Poll::Ready(Err(error.clone().into())),
            Project::Sent {
                answer,
                lent,
                completion,
            } => {
                let answer = ready!(answer.poll(cx));
                let lent = lent.take().expect("polled after completion");
                let response = answer.map_err(Into::into)?;
                Poll::Ready(Ok(completion.track_completion(lent, response)))
            }
        }
    }
}

impl<F, C, Tc> fmt::Debug for ResponseFuture<F, C, Tc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

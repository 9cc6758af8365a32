use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower::retry::Policy;
use tower_service::Service;
use tracing::debug;

use crate::ended::{Ended, Stopped};
use crate::mark::{Mark, Unmarked};
use crate::observer::Observer;

/// The future of a [`Retry`](crate::Retry).
#[must_use = "futures do nothing unless polled"]
#[pin_project]
pub struct ResponseFuture<P, S, Req, M = Unmarked>
where
    P: Policy<Req, S::Response, S::Error>,
    S: Service<Req>,
{
    /// `None` once it has ended.
    call: Option<Call<P, S, Req, M>>,
    #[pin]
    state: State<S::Future, P::Future>,
}

#[pin_project(project = StateProjected)]
enum State<F, W> {
    Calling(#[pin] F),
    Waiting(#[pin] W),
    Readying,
}

/// What the attempts of one call share.
pub(crate) struct Call<P, S, Req, M> {
    pub(crate) policy: P,
    /// `None` if the request has never been saved.
    pub(crate) service: Option<S>,
    pub(crate) saved: Option<Req>,
    pub(crate) mark: M,
    pub(crate) observer: Observer<P>,
    pub(crate) attempts: u32,
    /// What it means that nothing is saved.
    pub(crate) unsaved: Stopped,
}

impl<P, S, Req, M> ResponseFuture<P, S, Req, M>
where
    P: Policy<Req, S::Response, S::Error>,
    S: Service<Req>,
{
    pub(crate) fn new(call: Call<P, S, Req, M>, future: S::Future) -> Self {
        Self {
            call: Some(call),
            state: State::Calling(future),
        }
    }
}

impl<P, S, Req, M> Future for ResponseFuture<P, S, Req, M>
where
    P: Policy<Req, S::Response, S::Error>,
    S: Service<Req>,
    M: Mark<Req>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let call = this.call.as_mut().expect(UNENDED);
            match this.state.as_mut().project() {
                // Calling => Waiting, once the policy has agreed. The attempt's future and its
                // result are dropped here: what they held is free during the wait.
                StateProjected::Calling(future) => {
                    let mut result = ready!(future.poll(cx));
                    match call.next(&mut result) {
                        Ok(wait) => this.state.set(State::Waiting(wait)),
                        Err(stopped) => {
                            call.tell(stopped);
                            *this.call = None;
                            return Poll::Ready(result);
                        }
                    }
                }
                // Waiting => Readying, once the wait is over.
                StateProjected::Waiting(wait) => {
                    ready!(wait.poll(cx));
                    this.state.set(State::Readying);
                }
                // Readying => Calling, once the service is ready.
                StateProjected::Readying => match ready!(call.poll_ready(cx)) {
                    Ok(()) => {
                        let future = call.send();
                        this.state.set(State::Calling(future));
                    }
                    Err(error) => {
                        call.tell(Stopped::NotReady);
                        *this.call = None;
                        return Poll::Ready(Err(error));
                    }
                },
            }
        }
    }
}

impl<P, S, Req, M> Call<P, S, Req, M>
where
    P: Policy<Req, S::Response, S::Error>,
    S: Service<Req>,
{
    /// Asks the policy for another attempt, or says why there is none.
    fn next(&mut self, result: &mut Result<S::Response, S::Error>) -> Result<P::Future, Stopped> {
        let saved = self.saved.as_mut().ok_or(self.unsaved)?;
        self.policy.retry(saved, result).ok_or(Stopped::Policy)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.as_mut().expect(SAVED).poll_ready(cx)
    }

    fn send(&mut self) -> S::Future
    where
        M: Mark<Req>,
    {
        let mut req = self.saved.take().expect(SAVED);
        self.saved = self.policy.clone_request(&req);
        self.attempts += 1;
        let attempt = self.mark.read(&req).with_number(self.attempts);
        self.mark.write(&mut req, attempt);
        self.service.as_mut().expect(SAVED).call(req)
    }

    fn tell(&self, stopped: Stopped) {
        let attempts = self.attempts;
        if attempts > 1 {
            debug!(attempts, ?stopped, "call ended");
        }
        self.observer
            .tell(&self.policy, Ended { attempts, stopped });
    }
}

impl<P, S, Req, M> fmt::Debug for ResponseFuture<P, S, Req, M>
where
    P: Policy<Req, S::Response, S::Error>,
    S: Service<Req>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Calling(_) => "calling",
            State::Waiting(_) => "waiting",
            State::Readying => "readying",
        };
        f.debug_struct("ResponseFuture")
            .field("attempts", &self.call.as_ref().map(|call| call.attempts))
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

const UNENDED: &str = "a future is not polled once it is ready";
const SAVED: &str = "an attempt is repeated only if its request and service were kept";

use std::mem;
use std::task::{Context, Poll};

use tower::retry::Policy;
use tower_service::Service;

use crate::ended::Stopped;
use crate::future::{Call, ResponseFuture};
use crate::mark::{Mark, Unmarked};
use crate::observer::Observer;

/// Sends requests again as a policy says; see the [crate docs](crate).
#[derive(Clone, Debug)]
pub struct Retry<P, S, M = Unmarked> {
    pub(crate) policy: P,
    pub(crate) inner: S,
    pub(crate) mark: M,
    pub(crate) observer: Observer<P>,
}

impl<P, S, M> Retry<P, S, M> {
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

impl<P, S, M, Req> Service<Req> for Retry<P, S, M>
where
    P: Policy<Req, S::Response, S::Error> + Clone,
    S: Service<Req> + Clone,
    M: Mark<Req> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<P, S, Req, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut req: Req) -> Self::Future {
        let mut policy = self.policy.clone();
        let attempt = self.mark.read(&req);
        let nested = attempt.number().is_some();
        let saved = if nested {
            None
        } else {
            policy.clone_request(&req)
        };
        if !nested {
            self.mark.write(&mut req, attempt.with_number(1));
        }
        let (service, future) = match &saved {
            // The instance that was readied makes the call, and the next attempt with what it has
            // learnt by this one.
            Some(_) => {
                let fresh = self.inner.clone();
                let mut ready = mem::replace(&mut self.inner, fresh);
                let future = ready.call(req);
                (Some(ready), future)
            }
            None => (None, self.inner.call(req)),
        };
        let call = Call {
            policy,
            service,
            saved,
            mark: self.mark.clone(),
            observer: self.observer.clone(),
            attempts: 1,
            unsaved: if nested {
                Stopped::Nested
            } else {
                Stopped::Unsaved
            },
        };
        ResponseFuture::new(call, future)
    }
}

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tower::BoxError;
use tower::load::TrackCompletion;
use tower_service::Service;

use crate::answering::Answering;
use crate::backends::Owned;
use crate::candidate::{Begun, Candidate};
use crate::choose::{Query, choose};
use crate::classify::Classify;
use crate::error::Unavailable;
use crate::in_flight::InFlight;
use crate::last::Last;
use crate::policy::{Pick, Policy};
use crate::search::{Found, Search};
use crate::tell::Tell;
use crate::timing::Since;

/// The answer of a backend, or why there is none.
///
/// # Cancel safety
///
/// Dropped, it drops the call, which says nothing of the backend unless it was slower than
/// expected, or [overdue](crate::BalanceLayer::overdue); or it gives up the wait for a backend.
#[must_use = "futures do nothing unless polled"]
#[pin_project::pin_project]
pub struct ResponseFuture<K, S: Service<Req>, Req, P, C, Tc, A> {
    #[pin]
    state: State<K, S, Req, P, S::Future>,
    answering: Answering<C, Tc, A>,
}

#[pin_project::pin_project(project = Project)]
enum State<K, S, Req, P, F> {
    /// For a backend: the request has to be there, or the one that was ready has left.
    Seeking(Option<Seek<K, S, Req, P>>),
    Calling {
        // Dropped before what counts it.
        #[pin]
        future: F,
        in_flight: Option<InFlight>,
        /// If anybody is to be told.
        key: Option<Arc<K>>,
    },
    Refused(Unavailable),
}

impl<K, S: Service<Req>, Req, P, C, Tc, A> ResponseFuture<K, S, Req, P, C, Tc, A> {
    #[inline]
    pub(crate) fn calling(
        begun: Begun<K, S>,
        request: Req,
        answering: Answering<C, Tc, A>,
    ) -> Self {
        let state = call(begun, request);
        Self { state, answering }
    }

    pub(crate) fn seeking(seek: Seek<K, S, Req, P>, answering: Answering<C, Tc, A>) -> Self {
        let state = State::Seeking(Some(seek));
        Self { state, answering }
    }

    pub(crate) fn refused(why: Unavailable, answering: Answering<C, Tc, A>) -> Self {
        let state = State::Refused(why);
        Self { state, answering }
    }
}

#[inline]
fn call<K, S, Req, P>(begun: Begun<K, S>, request: Req) -> State<K, S, Req, P, S::Future>
where
    S: Service<Req>,
{
    let mut service = begun.service;
    State::Calling {
        future: service.call(request),
        in_flight: Some(begun.in_flight),
        key: begun.key,
    }
}

impl<K, S, Req, P, C, Tc, A> Future for ResponseFuture<K, S, Req, P, C, Tc, A>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    P: Policy<Req>,
    C: Classify<S::Response, S::Error>,
    Tc: TrackCompletion<InFlight, S::Response>,
    A: Tell<K, S::Response, S::Error>,
{
    type Output = Result<Tc::Output, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                // Seeking => Calling, once a backend is ready; or Refused
                Project::Seeking(slot) => {
                    let seek = slot.as_mut().expect("a search that has ended is replaced");
                    let found = ready!(seek.poll(A::TELLS, cx));
                    let next = match found {
                        Found::Ready => {
                            let Some(begun) = seek.begin() else {
                                // It has left meanwhile.
                                continue;
                            };
                            slot.take().map(|seek| call(begun, seek.request))
                        }
                        Found::Nobody(nobody) => Some(State::Refused(nobody)),
                        // With a request, none is needed.
                        Found::NeedsRequest => None,
                    };
                    this.state
                        .set(next.unwrap_or(State::Refused(Unavailable::Busy)));
                }
                Project::Calling {
                    future,
                    in_flight,
                    key,
                } => {
                    let mut result = ready!(future.poll(cx));
                    let outcome = this.answering.classify.classify(result.as_ref());
                    if let Some(in_flight) = in_flight.as_mut() {
                        in_flight.answered(outcome);
                    }
                    let in_flight = in_flight.take().expect("polled after completion");
                    if let Some(key) = key {
                        // An error that is told may not be changed.
                        let told = result.as_mut().map_err(|error| &*error);
                        this.answering.tell.tell(key, told);
                    }
                    let response = result.map_err(Into::into)?;
                    let completion = &this.answering.completion;
                    return Poll::Ready(Ok(completion.track_completion(in_flight, response)));
                }
                Project::Refused(why) => return Poll::Ready(Err((*why).into())),
            }
        }
    }
}

/// The search for a backend of a request.
pub(crate) struct Seek<K, S, Req, P> {
    /// Keeps discovery going while it waits.
    owned: Arc<Owned<K, S>>,
    policy: P,
    request: Req,
    search: Search<K, S>,
    last: Last,
}

impl<K, S, Req, P> Seek<K, S, Req, P> {
    /// Picks at once, if there is anybody to pick, and waits later.
    pub(crate) fn new<A>(owned: &Arc<Owned<K, S>>, policy: &P, request: Req, last: Last) -> Self
    where
        P: Policy<Req> + Clone,
        S: Service<Req> + Clone,
        A: Tell<K, S::Response, S::Error>,
    {
        let mut seek = Self {
            owned: Arc::clone(owned),
            policy: policy.clone(),
            request,
            search: Search::new(),
            last,
        };
        let members = owned.0.members();
        if let Pick::One(place) = choose(&seek.query(A::TELLS), &members, &[]) {
            let candidate = Candidate::new(&members, place, A::TELLS);
            seek.last = Last::new(&candidate);
            seek.search = Search::with(candidate);
        }
        seek
    }

    /// Begins a call to the backend that is ready; `None` if it has been removed.
    fn begin(&mut self) -> Option<Begun<K, S>> {
        let candidate = self.search.take()?;
        let backends = &self.owned.0;
        let now = backends.common.now();
        backends.take_census(now);
        candidate.begin(Since::exactly(now))
    }

    /// Whom it has picked first.
    pub(crate) fn last(&self) -> Last {
        self.last
    }

    fn query(&self, tells: bool) -> Query<'_, K, S, P, Req> {
        Query {
            backends: &self.owned.0,
            policy: &self.policy,
            request: Some(&self.request),
            last: self.last,
            tells,
        }
    }

    fn poll(&mut self, tells: bool, cx: &mut Context<'_>) -> Poll<Found>
    where
        S: Service<Req> + Clone,
        P: Policy<Req>,
    {
        let query = Query {
            backends: &self.owned.0,
            policy: &self.policy,
            request: Some(&self.request),
            last: self.last,
            tells,
        };
        self.search.poll(&query, cx)
    }
}

impl<K, S: Service<Req>, Req, P, C, Tc, A> fmt::Debug for ResponseFuture<K, S, Req, P, C, Tc, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

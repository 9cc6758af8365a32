use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;
use tower::BoxError;
use tower::discover::Discover;
use tower::load::{CompleteOnResponse, TrackCompletion};
use tower_service::Service;

use crate::answering::Answering;
use crate::backends::{Backends, Owned};
use crate::choose::Query;
use crate::classify::{ByError, Classify};
use crate::error::Unavailable;
use crate::figures::Figures;
use crate::future::{ResponseFuture, Seek};
use crate::in_flight::InFlight;
use crate::last::Last;
use crate::layer::BalanceLayer;
use crate::lock::Lock;
use crate::policy::{Adaptive, Policy};
use crate::search::{Found, Search};
use crate::snapshot::Snapshot;
use crate::tell::{Tell, Untold};
use crate::timing::Timing;

/// Spreads requests over backends; see the [crate docs](crate).
///
/// `K` is what backends are known by, `S` the service of each, `P` the [`Policy`], `C` says what
/// outcomes are ([`Classify`]), `Tc` when a call is complete, `A` who answered ([`Tell`]).
///
/// # Clone
///
/// Clones share the backends, their figures, and the policy; each has its own readiness, and
/// remembers by itself whom it called last. With the last of them, the tasks end; calls under way
/// go on.
pub struct Balance<K, S, P = Adaptive, C = ByError, Tc = CompleteOnResponse, A = Untold> {
    owned: Arc<Owned<K, S>>,
    policy: P,
    answering: Answering<C, Tc, A>,
    /// Never locked: it makes this `Sync`, whatever the service is.
    state: Lock<State<K, S>>,
    timing: Timing,
    /// Cloned, so that whoever tries again with a clone avoids the same backend.
    last: Last,
}

/// The search stays where it is, with what it finds.
struct State<K, S> {
    search: Search<K, S>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Searching,
    /// The backend is ready, and was when it was asked last.
    Ready,
    /// `call` picks, and its future waits.
    NeedsRequest,
    /// `call` says why.
    Nobody(Unavailable),
}

impl<K, S> Balance<K, S>
where
    K: Eq + Hash + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + 'static,
{
    /// Balances over what is discovered, with the defaults of everything;
    /// [`BalanceLayer::follow`] is for others.
    ///
    /// # Panics
    ///
    /// If it is outside of a tokio runtime, which the task that follows is spawned on.
    #[must_use]
    pub fn new<D>(discover: D) -> Self
    where
        D: Discover<Key = K, Service = S> + Send + 'static,
        D::Error: Into<BoxError> + Send,
    {
        BalanceLayer::default().follow(discover)
    }
}

impl<K, S, P, C, Tc, A> Balance<K, S, P, C, Tc, A> {
    pub(crate) fn with(
        backends: Arc<Backends<K, S>>,
        policy: P,
        answering: Answering<C, Tc, A>,
    ) -> Self {
        Self {
            owned: Arc::new(Owned(backends)),
            policy,
            answering,
            state: Lock::new(State::new()),
            timing: Timing::default(),
            last: Last::NOBODY,
        }
    }

    /// The same backends, with their figures, under another policy: of a clone, or instead.
    ///
    /// ```
    /// use tower::{Layer, service_fn};
    /// use wt_balance::{BalanceLayer, RoundRobin};
    ///
    /// # #[derive(Clone)] struct Backend;
    /// let maker = |target: &'static str| service_fn(move |(): ()| std::future::ready(Ok::<_, ()>(target)));
    /// let balance = BalanceLayer::new(["one", "two"]).layer(maker);
    /// let in_turn = balance.clone().policy(RoundRobin::new());
    /// # let _ = in_turn;
    /// ```
    #[must_use]
    pub fn policy<N>(self, policy: N) -> Balance<K, S, N, C, Tc, A> {
        Balance {
            owned: self.owned,
            policy,
            answering: self.answering,
            state: Lock::new(State::new()),
            timing: Timing::default(),
            last: self.last,
        }
    }

    /// Sets the weight of a backend, for all handles; says whether its key is known.
    ///
    /// 0 is never, unless all are 0, which is all alike. What a policy makes of weights, its docs
    /// say.
    pub fn set_weight(&self, key: &K, weight: u32) -> bool
    where
        K: Eq + Hash + fmt::Debug,
        S: Clone,
    {
        self.owned.0.set_weight(key, weight)
    }

    /// What is known of the backends, at about this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<K>
    where
        K: Clone,
    {
        Snapshot::of(&self.owned.0)
    }

    /// A handle on the [snapshot](Self::snapshot) alone, to be kept when layers are put around the
    /// balancer: most of them, as tower's `LoadShed`, give no access to what is inside. Whoever
    /// wants more of it keeps a clone of the balancer.
    #[must_use]
    pub fn figures(&self) -> Figures<K>
    where
        K: Clone + Send + Sync + 'static,
        S: Send + 'static,
    {
        Figures::new(Arc::downgrade(&self.owned.0))
    }

    /// Shuts the balancer down, for all handles: no call is given to a backend any more
    /// ([`Unavailable::Closed`]), discovery ends, and the backends are let go. The future ends when
    /// all calls under way are complete, or after `deadline`, with the number of those that are
    /// not.
    ///
    /// # Cancel safety
    ///
    /// It is shut down whether or not the future is awaited.
    pub fn shutdown(
        &self,
        deadline: Duration,
    ) -> impl Future<Output = usize> + Send + use<K, S, P, C, Tc, A>
    where
        K: Send + Sync + 'static,
        S: Send + 'static,
    {
        let backends = Arc::clone(&self.owned.0);
        backends.close();
        async move {
            let left = async {
                loop {
                    let idle = backends.common.idle.notified();
                    if backends.have_left() {
                        return;
                    }
                    idle.await;
                }
            };
            let _ = timeout(deadline, left).await;
            backends.in_flight()
        }
    }
}

impl<K, S, P, C, Tc, A, Req> Service<Req> for Balance<K, S, P, C, Tc, A>
where
    S: Service<Req> + Clone,
    S::Error: Into<BoxError>,
    P: Policy<Req> + Clone,
    C: Classify<S::Response, S::Error> + Clone,
    Tc: TrackCompletion<InFlight, S::Response>,
    A: Tell<K, S::Response, S::Error> + Clone,
{
    type Response = Tc::Output;
    type Error = BoxError;
    type Future = ResponseFuture<K, S, Req, P, C, Tc, A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let state = self.state.get_mut();
        // Whoever asks twice is told what holds now.
        let nobody = match state.stage {
            Stage::Searching => None,
            Stage::Ready => {
                if state.is_ready_still::<Req>(&self.owned.0, cx) {
                    return Poll::Ready(Ok(()));
                }
                None
            }
            Stage::NeedsRequest => return Poll::Ready(Ok(())),
            // Nobody => Searching, and back if that would be a wait
            Stage::Nobody(nobody) => {
                state.stage = Stage::Searching;
                Some(nobody)
            }
        };
        let query = Query {
            backends: &self.owned.0,
            policy: &self.policy,
            request: None::<&Req>,
            last: self.last,
            tells: A::TELLS,
        };
        state.stage = match (state.search.poll(&query, cx), nobody) {
            (Poll::Ready(Found::Ready), _) => Stage::Ready,
            (Poll::Ready(Found::NeedsRequest), _) => Stage::NeedsRequest,
            // It stays so: it is of no use any more.
            (Poll::Ready(Found::Nobody(closed @ Unavailable::Closed)), _) => {
                return Poll::Ready(Err(closed.into()));
            }
            (Poll::Ready(Found::Nobody(nobody)), _) | (Poll::Pending, Some(nobody)) => {
                // It gives back its places in line.
                state.search = Search::new();
                Stage::Nobody(nobody)
            }
            (Poll::Pending, None) => return Poll::Pending,
        };
        Poll::Ready(Ok(()))
    }

    /// Sends the request to the backend that is ready, or waits for one inside the future.
    ///
    /// # Panics
    ///
    /// If it is not ready.
    fn call(&mut self, request: Req) -> Self::Future {
        let state = self.state.get_mut();
        let answering = self.answering.clone();
        match std::mem::replace(&mut state.stage, Stage::Searching) {
            Stage::Ready => {
                if let Some(candidate) = state.search.take()
                    && !candidate.is_gone()
                {
                    let backends = &self.owned.0;
                    // What is tried again is timed.
                    let tried = candidate.stats.is_in_streak();
                    let since = backends.common.since(&mut self.timing, tried);
                    let last = Last::new(&candidate);
                    backends.take_census(since.at);
                    if let Some(begun) = candidate.begin(since) {
                        self.last = last;
                        return ResponseFuture::calling(begun, request, answering);
                    }
                }
            }
            Stage::NeedsRequest => {}
            Stage::Nobody(nobody) => return ResponseFuture::refused(nobody, answering),
            Stage::Searching => panic!("called without being ready"),
        }
        let seek = Seek::new::<A>(&self.owned, &self.policy, request, self.last);
        self.last = seek.last();
        ResponseFuture::seeking(seek, answering)
    }
}

impl<K, S> State<K, S> {
    fn new() -> Self {
        Self {
            search: Search::new(),
            stage: Stage::Searching,
        }
    }

    #[cold]
    fn is_ready_still<Req>(&mut self, backends: &Backends<K, S>, cx: &mut Context<'_>) -> bool
    where
        S: Service<Req>,
    {
        // Ready => Searching, and back if it is ready still
        self.stage = Stage::Searching;
        let Some(mut candidate) = self.search.take() else {
            return false;
        };
        let is_ready = match candidate.service.poll_ready(cx) {
            Poll::Ready(Err(_)) => {
                backends.lose(&[candidate]);
                return false;
            }
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
        };
        if candidate.is_gone() {
            return false;
        }
        // If it is not, it keeps its place in line.
        self.search = Search::with(candidate);
        if is_ready {
            self.stage = Stage::Ready;
        }
        is_ready
    }
}

impl<K, S, P, C, Tc, A> Clone for Balance<K, S, P, C, Tc, A>
where
    P: Clone,
    C: Clone,
    Tc: Clone,
    A: Clone,
{
    fn clone(&self) -> Self {
        Self {
            owned: Arc::clone(&self.owned),
            policy: self.policy.clone(),
            answering: self.answering.clone(),
            state: Lock::new(State::new()),
            timing: Timing::default(),
            last: self.last,
        }
    }
}

impl<K, S, P, C, Tc, A> fmt::Debug for Balance<K, S, P, C, Tc, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("backends", &self.owned.0.members().known.len())
            .finish_non_exhaustive()
    }
}

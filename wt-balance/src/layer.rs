use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tower::BoxError;
use tower::discover::Discover;
use tower::load::CompleteOnResponse;
use tower_layer::Layer;

use crate::answering::Answering;
use crate::backends::{Backends, Maker};
use crate::classify::ByError;
use crate::driver;
use crate::error::NoTargets;
use crate::members::Subset;
use crate::mend::bring_back;
use crate::policy::Adaptive;
use crate::service::Balance;
use crate::settings::Settings;
use crate::targets::{Follow, Targets};
use crate::tell::Untold;

/// Makes a [`Balance`]: as a layer on a function that makes the service of each target, or over
/// what is [discovered](Self::follow); see the [crate docs](crate).
///
/// `T` is the target, by which a backend is known; for the others see [`Balance`].
///
/// # Clone
///
/// Clones share the list of targets; each balancer that a layer makes has its own backends.
pub struct BalanceLayer<T, P = Adaptive, C = ByError, Tc = CompleteOnResponse, A = Untold> {
    targets: Targets<T>,
    policy: P,
    answering: Answering<C, Tc, A>,
    settings: Settings<T>,
}

impl<T: Clone + Eq + Hash> BalanceLayer<T> {
    /// Balances over these targets, each once.
    ///
    /// # Panics
    ///
    /// If there are none. Where they come from outside of the program, [`try_new`](Self::try_new)
    /// says so.
    #[must_use]
    pub fn new(targets: impl IntoIterator<Item = T>) -> Self {
        match Self::try_new(targets) {
            Ok(layer) => layer,
            Err(NoTargets) => panic!("a balancer has at least one target"),
        }
    }

    /// Balances over these targets, each once.
    ///
    /// # Errors
    ///
    /// Fails if there are none.
    pub fn try_new(targets: impl IntoIterator<Item = T>) -> Result<Self, NoTargets> {
        let targets = Targets::new(targets);
        if targets.list().targets.is_empty() {
            return Err(NoTargets);
        }
        Ok(Self::with(targets))
    }
}

impl<T> BalanceLayer<T> {
    fn with(targets: Targets<T>) -> Self {
        Self {
            targets,
            policy: Adaptive::default(),
            answering: Answering::default(),
            settings: Settings::default(),
        }
    }
}

/// Without targets: for [`follow`](BalanceLayer::follow), or to be filled through
/// [`targets`](BalanceLayer::targets).
impl<T> Default for BalanceLayer<T> {
    fn default() -> Self {
        Self::with(Targets::of(Vec::new()))
    }
}

impl<T, P, C, Tc, A> BalanceLayer<T, P, C, Tc, A> {
    /// Which backend a call goes to. Default: [`Adaptive`].
    #[must_use]
    pub fn policy<N>(self, policy: N) -> BalanceLayer<T, N, C, Tc, A> {
        BalanceLayer {
            targets: self.targets,
            policy,
            answering: self.answering,
            settings: self.settings,
        }
    }

    /// What an outcome says of its backend, by a [`Classify`](crate::Classify). Default:
    /// [`ByError`].
    #[must_use]
    pub fn classify<N>(self, classify: N) -> BalanceLayer<T, P, N, Tc, A> {
        self.answering(|answering| Answering {
            classify,
            completion: answering.completion,
            tell: answering.tell,
        })
    }

    /// How long a call counts as load, by tower's
    /// [`TrackCompletion`](tower::load::TrackCompletion). Default: until its response is there
    /// ([`CompleteOnResponse`]).
    ///
    /// A response that goes on, as a body or a session does, is to hold it for as long. The latency
    /// is that of the response in any case.
    #[must_use]
    pub fn completion<N>(self, completion: N) -> BalanceLayer<T, P, C, N, A> {
        self.answering(|answering| Answering {
            classify: answering.classify,
            completion,
            tell: answering.tell,
        })
    }

    /// Who is told which backend answered, by a [`Tell`](crate::Tell). Default: nobody.
    #[must_use]
    pub fn tell<N>(self, tell: N) -> BalanceLayer<T, P, C, Tc, N> {
        self.answering(|answering| Answering {
            classify: answering.classify,
            completion: answering.completion,
            tell,
        })
    }

    /// How long a call waits for a backend that is ready, before it fails with
    /// [`Unavailable`](crate::Unavailable). Default: 5 s. With zero, it fails at once.
    ///
    /// The balancer is `Pending` while it waits, and ready when it has waited in vain: the call
    /// says why.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// How fast latencies and failures wear off: to a third in this time. Default: 10 s.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn decay(mut self, decay: Duration) -> Self {
        assert!(!decay.is_zero(), "nothing would ever be known");
        self.settings.decay = decay;
        self
    }

    /// After how long a call that is dropped unanswered is a failure. Default: never (`None`): a
    /// call that is dropped says nothing, or that the backend is slower than it was thought.
    ///
    /// For stacks whose only timeout stands above the balancer. One that stands below is an error
    /// as any other, and needs none of this. With it, all calls are timed, however many there are.
    #[must_use]
    pub fn overdue(mut self, overdue: impl Into<Option<Duration>>) -> Self {
        self.settings.overdue = overdue.into();
        self
    }

    /// How long a backend rests at most that fails. Default: 4 s; with zero, none rests.
    ///
    /// After a failure it is passed over, whatever the policy, while there are others: for a 256th
    /// of this, and for four times as long as the failure took at least. Then one call is let
    /// through, and until that has succeeded, the backend rests four times as long as before. So
    /// one that is down costs five calls or so, and then one in this time; one that is back is used
    /// again within it, with its whole share.
    ///
    /// A call whose answer is [ignored](crate::Outcome::Ignore) leaves the rest as long as it was;
    /// one that is dropped makes it longer, as it may have been given up.
    ///
    /// A failure of a call that began before others that have succeeded since is no reason to rest:
    /// where one of many calls times out now and then, that makes its backend dearer, as in
    /// [`Adaptive`], and the others have not all of its calls for that.
    #[must_use]
    pub fn rest(mut self, rest: Duration) -> Self {
        self.settings.rest = rest;
        self
    }

    /// How long a backend that comes to others takes to get its whole share of calls, under
    /// [`Adaptive`] and [`LeastLatency`](crate::LeastLatency). Default: 10 s; at once with zero.
    ///
    /// No longer than the first of the others has been there: those that come together, or one
    /// after the other at the start, are all new.
    #[must_use]
    pub fn slow_start(mut self, slow_start: Duration) -> Self {
        self.settings.slow_start = slow_start;
        self
    }

    /// Below which share of sound backends failures are ignored, from 0 to 1. Default: 0, never.
    ///
    /// If most fail, the reason is likely to be elsewhere, and those few that are left would bear
    /// what all did. Sound is who was ready when it was asked last, and does not
    /// [fail](crate::View::is_failing). It costs errors if the backends fail one by one, so that it
    /// is for those who know that they do not.
    ///
    /// # Panics
    ///
    /// If it is not from 0 to 1.
    #[must_use]
    pub fn panic_threshold(mut self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a share is from 0 to 1");
        self.settings.questions.panic_threshold = share;
        self
    }

    /// Uses so many backends only of each priority, other ones for each `client`: a number that
    /// differs from client to client, and is the same each time. Default: all.
    ///
    /// By rendezvous: a backend that comes or goes changes one place at most. For many clients of
    /// many backends, each of which would have a connection to all.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[must_use]
    pub fn subset(mut self, size: usize, client: u64) -> Self {
        assert!(size > 0, "a balancer has at least one backend");
        self.settings.subset = Some(Subset { size, client });
        self
    }

    /// The weight that each backend has until it is
    /// [set](crate::Balance::set_weight). Default: 1.
    #[must_use]
    pub fn weight(mut self, weight: impl Fn(&T) -> u32 + Send + Sync + 'static) -> Self {
        self.settings.weight = Some(Arc::new(weight));
        self
    }

    /// The priority of each backend; 0 comes first. Default: 0.
    ///
    /// Those of the first take all calls while at least five of seven of them are sound, as in
    /// [`panic_threshold`](Self::panic_threshold), and then a share in proportion; the others
    /// overflow to the next priority. So does each call for which none is ready.
    #[must_use]
    pub fn priority(mut self, priority: impl Fn(&T) -> u8 + Send + Sync + 'static) -> Self {
        self.settings.priority = Some(Arc::new(priority));
        self
    }

    /// The list of targets, to change it; the balancers that this layer has made follow.
    #[must_use]
    pub fn targets(&self) -> Targets<T> {
        self.targets.clone()
    }

    /// Balances over what is discovered, in place of a list: a stream of tower's
    /// [`Change`](tower::discover::Change), in a `Result`.
    ///
    /// It is followed until it ends, in a task that ends with the last handle. A stream that fails
    /// is asked again, once a second.
    ///
    /// # Panics
    ///
    /// If it is outside of a tokio runtime, which that task is spawned on.
    pub fn follow<D>(&self, discover: D) -> Balance<T, D::Service, P, C, Tc, A>
    where
        D: Discover<Key = T> + Send + 'static,
        D::Service: Clone + Send + 'static,
        D::Error: Into<BoxError> + Send,
        T: Eq + Hash + fmt::Debug + Send + Sync + 'static,
        P: Clone,
        C: Clone,
        Tc: Clone,
        A: Clone,
    {
        let backends = Backends::new(self.settings.clone(), None);
        let gone = backends.gone.clone();
        let followed = driver::follow(discover, Arc::clone(&backends));
        tokio::spawn(async move { gone.run_until_cancelled(followed).await });
        self.over(backends)
    }

    fn answering<D, Td, B>(
        self,
        change: impl FnOnce(Answering<C, Tc, A>) -> Answering<D, Td, B>,
    ) -> BalanceLayer<T, P, D, Td, B> {
        BalanceLayer {
            targets: self.targets,
            policy: self.policy,
            answering: change(self.answering),
            settings: self.settings,
        }
    }

    fn over<S>(&self, backends: Arc<Backends<T, S>>) -> Balance<T, S, P, C, Tc, A>
    where
        P: Clone,
        C: Clone,
        Tc: Clone,
        A: Clone,
    {
        let (policy, answering) = (self.policy.clone(), self.answering.clone());
        Balance::with(backends, policy, answering)
    }
}

impl<T, N, S, P, C, Tc, A> Layer<N> for BalanceLayer<T, P, C, Tc, A>
where
    T: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    N: Fn(T) -> S + Send + Sync + 'static,
    S: Clone + Send + 'static,
    P: Clone,
    C: Clone,
    Tc: Clone,
    A: Clone,
{
    type Service = Balance<T, S, P, C, Tc, A>;

    /// `maker` makes the service of each target, again if one has failed for good.
    fn layer(&self, maker: N) -> Self::Service {
        let maker: Maker<T, S> = Box::new(move |target| maker(target.clone()));
        let backends = Backends::new(self.settings.clone(), Some((maker, bring_back)));
        let follower = Arc::downgrade(&backends);
        self.targets.add_follower(follower as Weak<dyn Follow<T>>);
        backends.follow(&self.targets);
        self.over(backends)
    }
}

impl<T, S> Follow<T> for Backends<T, S>
where
    T: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + 'static,
{
    fn follow(&self, targets: &Targets<T>) {
        let Some(maker) = &self.maker else {
            return;
        };
        loop {
            let list = targets.list();
            self.reconcile(&list, maker);
            // Who changed it meanwhile may have come before this.
            if list.version == targets.list().version {
                return;
            }
        }
    }
}

impl<T, P, C, Tc, A> Clone for BalanceLayer<T, P, C, Tc, A>
where
    P: Clone,
    C: Clone,
    Tc: Clone,
    A: Clone,
{
    fn clone(&self) -> Self {
        Self {
            targets: self.targets.clone(),
            policy: self.policy.clone(),
            answering: self.answering.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<T: fmt::Debug, P: fmt::Debug, C, Tc, A> fmt::Debug for BalanceLayer<T, P, C, Tc, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceLayer")
            .field("targets", &self.targets)
            .field("policy", &self.policy)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

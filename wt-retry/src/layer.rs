use tower_layer::Layer;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::ended::Ended;
use crate::mark::Unmarked;
use crate::observer::Observer;
use crate::policy::StandardPolicy;
use crate::service::Retry;

/// Sends requests again as a policy says; see the [crate docs](crate).
#[derive(Clone, Debug)]
pub struct RetryLayer<P, M = Unmarked> {
    policy: P,
    mark: M,
    observer: Observer<P>,
}

impl<P> RetryLayer<P> {
    /// Retries by any [`Policy`](tower::retry::Policy) of tower's.
    ///
    /// For a [`StandardPolicy`] with marks there is [`standard`](Self::standard).
    #[must_use]
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            mark: Unmarked,
            observer: Observer::none(),
        }
    }
}

impl<C, B: Backoff, G: Budget, R, M: Clone> RetryLayer<StandardPolicy<C, B, G, R, M>, M> {
    /// Retries by a [`StandardPolicy`], and marks requests as it does.
    #[must_use]
    pub fn standard(policy: StandardPolicy<C, B, G, R, M>) -> Self {
        Self {
            mark: policy.mark().clone(),
            policy,
            observer: Observer::none(),
        }
    }
}

impl<P, M> RetryLayer<P, M> {
    /// How the number of an attempt travels in the request. Default: [`Unmarked`].
    ///
    /// A request that has one already comes from a retry layer above, and is sent once.
    #[must_use]
    pub fn marks<N>(self, mark: N) -> RetryLayer<P, N> {
        RetryLayer {
            policy: self.policy,
            mark,
            observer: self.observer,
        }
    }

    /// Hears how each call ended, unless it was given up. Default: nobody.
    ///
    /// It is given the policy of that call; [`StandardPolicy::reason`] says more than [`Ended`]
    /// alone. It is called in the middle of the call, and must not block.
    #[must_use]
    pub fn observer(self, observer: impl Fn(&P, Ended) + Send + Sync + 'static) -> Self {
        let observer = Observer::new(observer);
        Self { observer, ..self }
    }
}

impl<P: Clone, S, M: Clone> Layer<S> for RetryLayer<P, M> {
    type Service = Retry<P, S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry {
            policy: self.policy.clone(),
            inner,
            mark: self.mark.clone(),
            observer: self.observer.clone(),
        }
    }
}

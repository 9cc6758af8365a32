use std::sync::Arc;

use tower::retry::Policy;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder};
use wt_retry::backoff::Backoff;
use wt_retry::budget::{Budget, Throttle};
use wt_retry::{RetryLayer, StandardPolicy, Verdict};

/// Something went wrong that another attempt might mend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed;

/// A client, whatever it is made of.
pub(crate) type Client = BoxCloneSyncService<(), (), Failed>;

/// What bounds the retries of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Attempts,
    TowerTps,
    GrpcThrottle,
    Ratio,
}

pub(crate) const BOUNDS: [(Bound, &str); 4] = [
    (Bound::Attempts, "attempts alone"),
    (Bound::TowerTps, "tower's Retry, TpsBudget"),
    (Bound::GrpcThrottle, "Throttle, 10 and 0.1"),
    (Bound::Ratio, "RatioBudget"),
];

/// A client of `service` with at most so many attempts.
pub(crate) fn client<S>(
    bound: Bound,
    attempts: u32,
    backoff: impl Backoff<Delays: Send + Sync + 'static> + Clone + Send + Sync + 'static,
    service: S,
) -> Client
where
    S: Service<(), Response = (), Error = Failed, Future: Send + 'static>,
    S: Clone + Send + Sync + 'static,
{
    let policy = StandardPolicy::new(classify, backoff).attempts(attempts);
    match bound {
        Bound::Attempts => {
            BoxCloneSyncService::new(RetryLayer::new(policy.budget(Unlimited)).layer(service))
        }
        Bound::TowerTps => {
            let policy = Tps {
                budget: Arc::default(),
                inner: policy.budget(Unlimited),
            };
            BoxCloneSyncService::new(ServiceBuilder::new().retry(policy).service(service))
        }
        Bound::GrpcThrottle => BoxCloneSyncService::new(
            RetryLayer::new(policy.budget(Throttle::new(10, 0.1))).layer(service),
        ),
        Bound::Ratio => BoxCloneSyncService::new(RetryLayer::new(policy).layer(service)),
    }
}

fn classify((): &(), result: Result<&(), &Failed>) -> Verdict {
    match result {
        Ok(()) => Verdict::Return,
        Err(Failed) => Verdict::Retry,
    }
}

/// Bounds nothing.
#[derive(Clone, Copy)]
struct Unlimited;

impl Budget for Unlimited {
    type Permit = ();

    fn deposit(&self) {}

    fn withdraw(&self) -> Option<()> {
        Some(())
    }
}

/// tower's budget as its docs have it, before the same decisions.
#[derive(Clone)]
struct Tps<P> {
    budget: Arc<TpsBudget>,
    inner: P,
}

impl<P> Policy<(), (), Failed> for Tps<P>
where
    P: Policy<(), (), Failed>,
{
    type Future = P::Future;

    fn retry(&mut self, req: &mut (), result: &mut Result<(), Failed>) -> Option<P::Future> {
        match result {
            Ok(()) => self.budget.deposit(),
            Err(Failed) if self.budget.withdraw() => {}
            Err(Failed) => return None,
        }
        self.inner.retry(req, result)
    }

    fn clone_request(&mut self, req: &()) -> Option<()> {
        self.inner.clone_request(req)
    }
}

//! A retry goes elsewhere by itself, whoever makes it; here, also where nobody rests that fails.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{Ready, ready};
use std::time::Duration;

use common::{Act, Failed, Key, MILLISECOND, SECOND, World, ask};
use tower::retry::{Policy as Retries, Retry};
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_balance::{BalanceLayer, LeastRequests, Outcome, Pick, Policy, Random, Ring, View};

/// Tries once more, by tower's `Retry`.
#[derive(Clone)]
struct Once(bool);

impl Retries<u32, Key, BoxError> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u32, result: &mut Result<Key, BoxError>) -> Option<Ready<()>> {
        (result.is_err() && std::mem::take(&mut self.0)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

/// The one with this number, while it may be picked: no choice is made but by the balancer.
#[derive(Clone, Copy)]
struct Lowest;

impl<Req> Policy<Req> for Lowest {
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        view.usable().next().into()
    }
}

#[tokio::test]
async fn tower_s_retry_goes_to_another_backend() {
    let world = World::default();
    world.act("a", Act::Fail);
    let balance = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .layer(world.maker());
    let retry = Retry::new(Once(true), balance);

    for _ in 0..20 {
        assert_eq!(retry.clone().oneshot(0).await.unwrap(), "b");
    }

    assert_eq!(world.calls("a"), 20);
}

/// By the defaults: it does not rest for a call that fails after others have succeeded, and a retry
/// goes elsewhere all the same.
#[tokio::test(start_paused = true)]
async fn a_retry_goes_elsewhere_from_one_that_does_not_rest() {
    let world = World::default();
    world.act("a", Act::FailAfter(100 * MILLISECOND));
    let layer = BalanceLayer::new(["a", "b"]).policy(Lowest);
    let balance = layer.layer(world.maker());
    let mut failed = balance.clone();
    let call = failed.ready().await.unwrap().call(0);
    let call = tokio::spawn(call);
    world.act("a", Act::After(MILLISECOND));
    for _ in 0..3 {
        tokio::time::sleep(MILLISECOND).await;
        assert_eq!(ask(&mut balance.clone()).await.unwrap(), "a");
    }

    assert!(call.await.unwrap().is_err());

    assert_eq!(ask(&mut failed).await.unwrap(), "b");
    assert_eq!(ask(&mut balance.clone()).await.unwrap(), "a");
}

#[tokio::test]
async fn a_retry_by_the_same_instance_or_by_a_clone_goes_elsewhere() {
    let world = World::default();
    world.act("a", Act::Fail);
    let balance = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .layer(world.maker());

    let mut same = balance.clone();
    assert!(ask(&mut same).await.unwrap_err().is::<Failed>());
    let mut clone = same.clone();
    assert_eq!(ask(&mut same).await.unwrap(), "b");
    assert_eq!(ask(&mut clone).await.unwrap(), "b");

    // Whoever has not failed on it does not know.
    assert!(ask(&mut balance.clone()).await.is_err());
}

#[tokio::test]
async fn any_policy_avoids_and_a_keyed_one_too() {
    async fn check<P: Policy<u32> + Clone>(policy: P) {
        let world = World::default();
        for key in ["a", "b"] {
            world.act(key, Act::Fail);
        }
        let mut balance = BalanceLayer::new(["a", "b"])
            .policy(policy)
            .layer(world.maker());
        let mut before = None;
        for _ in 0..20 {
            let failed = *ask(&mut balance)
                .await
                .unwrap_err()
                .downcast::<Failed>()
                .unwrap();
            assert_ne!(before.replace(failed), Some(failed));
        }
    }

    check(Random::default()).await;
    check(LeastRequests::default()).await;
    check(Ring::new(|request: &u32| *request)).await;
}

#[tokio::test]
async fn the_only_backend_is_not_avoided() {
    let world = World::default();
    world.act("a", Act::Fail);
    let mut balance = world.balance(["a"]);

    for _ in 0..3 {
        assert!(ask(&mut balance).await.unwrap_err().is::<Failed>());
    }
}

/// A handle that is only cloned would remember its one failure in each clone.
#[tokio::test(start_paused = true)]
async fn a_backend_is_not_avoided_for_ever() {
    let world = World::default();
    world.act("a", Act::Fail);
    let mut handle = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .layer(world.maker());
    assert!(ask(&mut handle).await.is_err());
    world.act("a", Act::Answer);
    assert_eq!(ask(&mut handle.clone()).await.unwrap(), "b");

    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(ask(&mut handle.clone()).await.unwrap(), "b");
    tokio::time::sleep(2 * SECOND).await;

    assert_eq!(ask(&mut handle.clone()).await.unwrap(), "a");
}

/// It is the failure that counts, not when the call began.
#[tokio::test(start_paused = true)]
async fn a_retry_goes_elsewhere_however_long_the_failure_took() {
    let world = World::default();
    world.act("a", Act::FailAfter(300 * SECOND));
    let mut balance = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .layer(world.maker());

    assert!(ask(&mut balance).await.is_err());

    assert_eq!(ask(&mut balance).await.unwrap(), "b");
}

/// Nor does it matter whether others have had an answer of it meanwhile.
#[tokio::test(start_paused = true)]
async fn a_retry_goes_elsewhere_though_others_succeed() {
    let world = World::default();
    world.act("a", Act::Fail);
    let balance = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .layer(world.maker());
    let mut failed = balance.clone();
    assert!(ask(&mut failed).await.is_err());

    world.act("a", Act::Answer);
    assert_eq!(ask(&mut balance.clone()).await.unwrap(), "a");

    assert_eq!(ask(&mut failed).await.unwrap(), "b");
}

#[tokio::test]
async fn what_is_ignored_is_not_avoided() {
    let world = World::default();
    world.act("a", Act::Fail);
    let ignore = |_: Result<&Key, &Failed>| Outcome::Ignore;
    let layer = BalanceLayer::new(["a", "b"])
        .policy(Lowest)
        .rest(Duration::ZERO)
        .classify(ignore);
    let mut balance = layer.layer(world.maker());

    assert!(ask(&mut balance).await.is_err());
    assert!(ask(&mut balance).await.is_err());
}

//! What weights do.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Act, Is, Key, MILLISECOND, World, ask, ask_times, count, homes};
use tokio::task::JoinSet;
use tower::Layer;
use wt_balance::{
    Adaptive, BalanceLayer, LeastLatency, LeastRequests, PickFirst, Policy, Random, Ring,
    RoundRobin, Weighted,
};

const KEYS: [Key; 4] = ["a", "b", "c", "d"];

#[tokio::test]
async fn weighted_is_smooth_and_always_the_same() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b", "c"])
        .policy(Weighted::new())
        .weight(|key| if *key == "a" { 5 } else { 1 });
    let mut balance = layer.layer(world.maker());

    let keys = ask_times(&mut balance, 14).await;

    let once = ["a", "b", "a", "a", "a", "c", "a"];
    assert_eq!(keys, [once, once].concat());
}

#[tokio::test]
async fn a_weight_of_zero_is_never_and_all_zero_is_all_alike() {
    let world = World::default();
    let layer = BalanceLayer::new(KEYS).policy(Weighted::new());
    let mut balance = layer.layer(world.maker());

    for key in ["a", "c"] {
        assert!(balance.set_weight(&key, 0));
    }
    let keys = ask_times(&mut balance, 10).await;
    assert_eq!((count(&keys, "b"), count(&keys, "d")), (5, 5));
    for key in KEYS {
        assert!(balance.set_weight(&key, 0));
    }
    let keys = ask_times(&mut balance, 40).await;
    assert!(KEYS.iter().all(|key| count(&keys, key) == 10), "{keys:?}");
    assert!(!balance.set_weight(&"nobody", 1));
}

/// One without weight used to get all calls while those that have some were gone.
#[tokio::test(start_paused = true)]
async fn a_weight_of_zero_is_never_even_if_all_others_are_gone() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).patience(MILLISECOND);
    let mut balance = layer.layer(world.maker());
    balance.set_weight(&"a", 0);

    world.is("b", Is::Gone);
    assert!(ask(&mut balance).await.is_err());

    assert_eq!(world.calls("a"), 0);
}

/// A subset used to be filled with those, and then to be used as if all were alike.
#[tokio::test]
async fn a_subset_is_of_those_that_have_a_weight() {
    let world = World::default();
    for client in 0..20 {
        let layer = BalanceLayer::new(KEYS).subset(1, client);
        let mut balance = layer.layer(world.maker());
        for key in ["a", "b", "c"] {
            balance.set_weight(&key, 0);
        }
        assert_eq!(ask(&mut balance).await.unwrap(), "d");
    }
}

#[tokio::test]
async fn no_policy_picks_who_has_no_weight() {
    async fn check<P: Policy<u32> + Clone>(policy: P) {
        let world = World::default();
        let layer = BalanceLayer::new(["a", "b"]).policy(policy);
        let mut balance = layer.layer(world.maker());
        balance.set_weight(&"a", 0);
        assert_eq!(ask_times(&mut balance, 20).await, ["b"; 20]);
    }

    check(Adaptive::new()).await;
    check(LeastRequests::default()).await;
    check(RoundRobin::new()).await;
    check(Weighted::new()).await;
    check(LeastLatency::default()).await;
    check(Ring::new(|request: &u32| *request)).await;
    check(PickFirst::default()).await;
    check(Random::default()).await;
}

#[tokio::test(start_paused = true)]
async fn weights_count_for_adaptive_and_least_requests() {
    async fn shares<P: Policy<u32> + Clone + Send + Sync + 'static>(policy: P) -> f64 {
        let world = World::default();
        for key in ["a", "b"] {
            world.act(key, Act::After(100 * MILLISECOND));
        }
        let layer = BalanceLayer::new(["a", "b"]).policy(policy);
        let balance = layer.layer(world.maker());
        balance.set_weight(&"a", 3);
        let mut clients = JoinSet::new();
        for _ in 0..40 {
            let mut balance = balance.clone();
            clients.spawn(async move { ask_times(&mut balance, 50).await });
        }
        clients.join_all().await;
        world.calls("a") as f64 / world.calls("b") as f64
    }

    let adaptive = shares(Adaptive::new()).await;
    let least_requests = shares(LeastRequests::default()).await;

    assert!((2.5..3.5).contains(&adaptive), "{adaptive}");
    assert!((2.5..3.5).contains(&least_requests), "{least_requests}");
}

#[tokio::test]
async fn a_ring_goes_by_weights() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).policy(Ring::new(|request: &u32| *request));
    let mut balance = layer.layer(world.maker());
    balance.set_weight(&"a", 3);

    let homes = homes(&mut balance).await;

    let share = homes.values().filter(|home| **home == "a").count();
    assert!((690..810).contains(&share), "{share}");
}

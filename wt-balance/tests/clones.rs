//! Clones of one client, and other clients, are not in step.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::HashMap;

use common::{Act, Key, World, ask, ask_times, count, settle};
use tower::Layer;
use wt_balance::{Adaptive, BalanceLayer, LeastRequests, Policy, Random, RoundRobin, Weighted};

const KEYS: [Key; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// A generator of random numbers that is cloned with its owner gives all clones the same.
#[tokio::test]
async fn clones_do_not_pick_the_same_by_the_same_chance() {
    async fn check<P: Policy<u32> + Clone>(policy: P) {
        let world = World::default();
        let balance = BalanceLayer::new(KEYS).policy(policy).layer(world.maker());
        let mut one = balance.clone();
        let mut two = balance.clone();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            first.push(ask(&mut one).await.unwrap());
            second.push(ask(&mut two).await.unwrap());
        }

        let same = first.iter().zip(&second).filter(|(a, b)| a == b).count();
        // An eighth of 40 by chance.
        assert!(same < 20, "{same} of 40: {first:?} {second:?}");
    }

    fastrand::seed(3);
    check(Random::default()).await;
    check(LeastRequests::default()).await;
    check(Adaptive::new().scan(0)).await;
}

#[tokio::test]
async fn clones_take_turns_together() {
    async fn check<P: Policy<u32> + Clone>(policy: P) {
        let world = World::default();
        let balance = BalanceLayer::new(KEYS).policy(policy).layer(world.maker());
        for _ in 0..5 {
            for _ in KEYS {
                ask(&mut balance.clone()).await.unwrap();
            }
        }
        for key in KEYS {
            assert_eq!(world.calls(key), 5);
        }
    }

    check(RoundRobin::new()).await;
    check(Weighted::new()).await;
}

/// Each client that starts knows nothing, and all backends are alike to it.
#[tokio::test]
async fn clients_that_start_together_do_not_start_with_the_same_backend() {
    async fn most<P: Policy<u32> + Clone>(policy: P) -> usize {
        let world = World::default();
        let mut firsts = Vec::new();
        for _ in 0..200 {
            let layer = BalanceLayer::new(KEYS).policy(policy.clone());
            firsts.extend(ask_times(&mut layer.layer(world.maker()), 1).await);
        }
        KEYS.iter().map(|key| count(&firsts, key)).max().unwrap()
    }

    fastrand::seed(5);
    // 25 each, give or take five times the standard deviation.
    assert!(most(Adaptive::new()).await < 50);
    assert!(most(LeastRequests::default()).await < 50);
}

/// Many clones that pick before any has had an answer.
#[tokio::test(start_paused = true)]
async fn clones_at_once_spread_over_all() {
    let world = World::default();
    KEYS.iter().for_each(|key| world.act(key, Act::Hang));
    let balance = world.balance(KEYS);
    for _ in 0..80 {
        let mut balance = balance.clone();
        tokio::spawn(async move { ask(&mut balance).await });
    }
    settle().await;

    let spread: HashMap<_, _> = KEYS.iter().map(|key| (key, world.under_way(key))).collect();
    assert!(spread.values().all(|calls| *calls == 10), "{spread:?}");
}

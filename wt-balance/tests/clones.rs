//! Clones of one client, and other clients, are not in step.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::HashMap;

use common::{Act, Key, World, ask, ask_times, count, settle};
use tower::{Layer, Service, ServiceExt};
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

/// Of backends that are alike in all, each comes first as often: ties used to be broken evenly only
/// where their number is a power of two.
#[tokio::test(start_paused = true)]
async fn each_of_those_that_are_alike_is_picked_as_often() {
    async fn check<P: Policy<u32> + Clone>(policy: P, n: usize) {
        let world = World::default();
        let keys: Vec<Key> = (0..n)
            .map(|n| &*Box::leak(n.to_string().into_boxed_str()))
            .collect();
        let balance = BalanceLayer::new(keys.clone())
            .policy(policy)
            .layer(world.maker());
        // They stay alike: a call that is dropped at once tells nothing.
        let mut ready = balance.clone();
        for _ in 0..400 * n {
            drop(ready.ready().await.unwrap().call(0));
        }
        for key in keys {
            // 400, give or take five times the standard deviation.
            assert!(
                (300..500).contains(&world.calls(key)),
                "{n}: {}",
                world.calls(key)
            );
        }
    }

    fastrand::seed(11);
    for n in [3, 5, 10, 33, 64] {
        check(Adaptive::new(), n).await;
        check(LeastRequests::default(), n).await;
    }
}

/// Two that are alike, among others that are worse, share alike wherever they stand.
#[tokio::test(start_paused = true)]
async fn of_two_that_are_alike_neither_comes_first_by_its_place() {
    let world = World::default();
    let balance = BalanceLayer::new(KEYS).layer(world.maker());
    for key in &KEYS[2..] {
        world.act(key, Act::Fail);
    }
    let mut in_turn = balance.clone().policy(RoundRobin::new());
    for _ in 0..10 * KEYS.len() {
        drop(ask(&mut in_turn).await);
    }
    let mut ready = balance.clone();
    let before = world.calls("0");
    for _ in 0..1000 {
        drop(ready.ready().await.unwrap().call(0));
    }

    let first = world.calls("0") - before;
    assert!((400..600).contains(&first), "{first}");
}

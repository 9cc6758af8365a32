//! Which backend each policy picks.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::HashMap;

use common::{Act, Failed, Is, Key, MILLISECOND, SECOND, World, ask, ask_times, count, homes};
use proptest::prelude::*;
use tower::Layer;
use wt_balance::{
    Balance, BalanceLayer, LeastLatency, LeastRequests, Pick, PickFirst, Policy, Random, Ring,
    RoundRobin, View, Weighted,
};

const KEYS: [Key; 4] = ["a", "b", "c", "d"];

/// Keeps so many calls under way on a backend of one key alone.
async fn load(world: &World, balance: &Balance<Key, common::Backend>, key: Key, calls: usize) {
    let before = world.calls(key);
    world.act(key, Act::Hang);
    let to_it = balance.clone().policy(Only(key));
    for _ in 0..calls {
        let mut to_it = to_it.clone();
        tokio::spawn(async move { ask(&mut to_it).await });
    }
    common::settle().await;
    assert_eq!(world.calls(key), before + calls);
    world.act(key, Act::Answer);
}

/// A policy of a user's own.
#[derive(Clone, Copy)]
struct Only(Key);

impl<Req> Policy<Req> for Only {
    fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
        let place = KEYS.iter().position(|key| *key == self.0).unwrap();
        // In the order of arrival.
        view.usable().find(|usable| *usable == place).into()
    }
}

#[tokio::test]
async fn round_robin_begins_with_the_first() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b", "c"]).policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());

    let keys = ask_times(&mut balance, 7).await;

    assert_eq!(keys, ["a", "b", "c", "a", "b", "c", "a"]);
}

#[tokio::test]
async fn round_robin_goes_on_where_it_was_when_the_set_changes() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b", "c"]).policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());
    assert_eq!(ask_times(&mut balance, 2).await, ["a", "b"]);

    // Even without the one that was picked last.
    layer.targets().remove(&"b");
    assert_eq!(ask_times(&mut balance, 2).await, ["c", "a"]);
    layer.targets().insert("d");
    assert_eq!(ask_times(&mut balance, 4).await, ["c", "d", "a", "c"]);
}

#[tokio::test]
async fn round_robin_passes_over_one_that_is_busy_and_keeps_the_order() {
    let world = World::default();
    world.is("b", Is::Busy);
    let layer = BalanceLayer::new(["a", "b", "c"]).policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());

    assert_eq!(ask_times(&mut balance, 4).await, ["a", "c", "a", "c"]);
}

/// Each has its own backends: those of one used to take turns with those of the other.
#[tokio::test]
async fn two_balancers_of_one_layer_take_turns_each_by_itself() {
    async fn check<P: Policy<u32> + Clone>(policy: P) {
        let world = World::default();
        let layer = BalanceLayer::new(["a", "b", "c"]).policy(policy);
        let mut both = [layer.layer(world.maker()), layer.layer(world.maker())];
        let mut picked = [Vec::new(), Vec::new()];
        for turn in 0..30 {
            // Not in step.
            for n in [0, 1, 1, turn % 2] {
                picked[n].push(ask(&mut both[n]).await.unwrap());
            }
        }
        for picked in picked {
            for (n, key) in picked.iter().enumerate() {
                assert_eq!(*key, ["a", "b", "c"][n % 3]);
            }
        }
    }

    check(RoundRobin::new()).await;
    check(Weighted::new()).await;
}

#[tokio::test]
async fn least_requests_goes_where_fewest_are_under_way() {
    let world = World::default();
    let balance = world.balance(KEYS);
    for (calls, key) in [3, 1, 0, 2].into_iter().zip(KEYS) {
        load(&world, &balance, key, calls).await;
    }
    let mut least = balance.policy(LeastRequests::default());

    assert_eq!(ask_times(&mut least, 10).await, ["c"; 10]);
}

#[tokio::test(start_paused = true)]
async fn least_latency_goes_where_answers_come_fastest() {
    let world = World::default();
    for (after, key) in [30, 10, 20, 40].into_iter().zip(KEYS) {
        world.act(key, Act::After(after * MILLISECOND));
    }
    let balance = world.balance(KEYS);
    ask_times(&mut balance.clone().policy(RoundRobin::new()), 4).await;
    load(&world, &balance, "b", 10).await;
    let mut fastest = balance.policy(LeastLatency::default());

    assert_eq!(ask_times(&mut fastest, 10).await, ["b"; 10]);
}

#[tokio::test]
async fn pick_first_stays_with_the_first_that_works() {
    let world = World::default();
    let layer = BalanceLayer::new(KEYS).policy(PickFirst::default());
    let mut balance = layer.layer(world.maker());
    assert_eq!(ask_times(&mut balance, 5).await, ["a"; 5]);

    world.is("a", Is::Busy);
    assert_eq!(ask_times(&mut balance, 5).await, ["b"; 5]);
    world.act("b", Act::Fail);
    for _ in 0..10 {
        let _ = ask(&mut balance).await;
    }

    assert_eq!(ask_times(&mut balance, 5).await, ["c"; 5]);
}

#[tokio::test]
async fn random_picks_each_with_the_same_chance() {
    let world = World::default();
    world.is("d", Is::Busy);
    let layer = BalanceLayer::new(KEYS).policy(Random::default());
    fastrand::seed(7);

    let keys = ask_times(&mut layer.layer(world.maker()), 3000).await;

    for key in ["a", "b", "c"] {
        // Five times the standard deviation.
        assert!((870..1130).contains(&count(&keys, key)), "{key}");
    }
}

#[tokio::test]
async fn a_ring_gives_each_key_its_backend_and_moves_no_other_when_one_leaves() {
    let world = World::default();
    let layer = BalanceLayer::new(KEYS).policy(Ring::new(|request: &u32| *request));
    let mut balance = layer.layer(world.maker());

    let before = homes(&mut balance).await;
    assert_eq!(homes(&mut balance.clone()).await, before);
    layer.targets().remove(&"b");
    let after = homes(&mut balance).await;

    for (request, key) in &before {
        assert!(*key == "b" || after[request] == *key);
    }
    for key in KEYS {
        let share = before.values().filter(|home| **home == key).count();
        assert!((170..330).contains(&share), "{key}: {share}");
    }
    for key in ["a", "c", "d"] {
        let moved = before
            .iter()
            .filter(|(request, home)| **home == "b" && after[request] == key);
        assert!(moved.count() > 40, "they are spread over all");
    }
}

#[tokio::test]
async fn a_key_whose_backend_is_busy_has_another_that_is_always_the_same() {
    let world = World::default();
    let layer = BalanceLayer::new(KEYS).policy(Ring::new(|request: &u32| *request));
    let mut balance = layer.layer(world.maker());
    let before = homes(&mut balance).await;

    world.is("a", Is::Busy);
    let during = homes(&mut balance).await;

    assert!(during.values().all(|key| *key != "a"));
    assert_eq!(homes(&mut balance).await, during);
    for (request, key) in &before {
        assert!(*key == "a" || during[request] == *key);
    }
}

#[tokio::test]
async fn another_policy_shares_backends_and_figures() {
    let world = World::default();
    let mut balance = world.balance(["a", "b"]);
    ask_times(&mut balance, 6).await;

    let mut in_turn = balance.clone().policy(RoundRobin::new());

    assert_eq!(in_turn.snapshot().calls, 6);
    assert_eq!(ask_times(&mut in_turn, 2).await, ["a", "b"]);
    assert_eq!(balance.snapshot().calls, 8);
    in_turn.set_weight(&"a", 0);
    assert_eq!(ask_times(&mut balance, 3).await, ["b"; 3]);
}

#[tokio::test]
async fn a_pick_that_is_not_allowed_is_none() {
    #[derive(Clone)]
    struct Wrong(usize);
    impl<Req> Policy<Req> for Wrong {
        fn pick(&self, _: &View<'_>, _: Option<&Req>) -> Pick {
            Pick::One(self.0)
        }
    }
    let world = World::default();
    world.is("b", Is::Busy);

    for place in [1, 2, usize::MAX] {
        let layer = BalanceLayer::new(["a", "b"]).patience(std::time::Duration::ZERO);
        let mut balance = layer.policy(Wrong(place)).layer(world.maker());

        let error = ask(&mut balance).await.unwrap_err();

        assert_eq!(error.downcast_ref(), Some(&wt_balance::Unavailable::Busy));
    }
}

/// What a policy of a user's own says may be no number.
#[tokio::test]
async fn costs_that_are_no_numbers_take_nobody_down() {
    #[derive(Clone)]
    struct Odd(f64);
    impl<Req> Policy<Req> for Odd {
        fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
            view.least_by(2, 2, |place| if place == 1 { 1.0 } else { self.0 })
                .into()
        }
    }
    let world = World::default();
    for odd in [f64::NAN, f64::INFINITY] {
        let layer = BalanceLayer::new(["a", "b"]).policy(Odd(odd));
        let mut balance = layer.layer(world.maker());
        assert_eq!(ask_times(&mut balance, 10).await, ["b"; 10]);

        world.is("b", Is::Busy);
        assert_eq!(ask_times(&mut balance, 10).await, ["a"; 10]);
        world.is("b", Is::Ready);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_sees_is_always_a_number() {
    #[derive(Clone)]
    struct Seeing;
    impl<Req> Policy<Req> for Seeing {
        fn pick(&self, view: &View<'_>, _: Option<&Req>) -> Pick {
            for place in 0..view.len() {
                assert!(view.cost(place).is_finite() && view.load(place).is_finite());
                assert!(view.penalty(place).is_finite());
            }
            view.least_by(64, 5, |place| view.load(place)).into()
        }
    }
    let world = World::default();
    world.act("b", Act::Fail);
    let layer = BalanceLayer::new(["a", "b"])
        .decay(MILLISECOND)
        .policy(Seeing);
    let mut balance = layer.layer(world.maker());
    for weight in [1, u32::MAX, 0] {
        balance.set_weight(&"a", weight);
        for _ in 0..10 {
            let _ = ask(&mut balance).await;
            tokio::time::sleep(1000 * SECOND).await;
        }
    }
    layer.targets().insert("c");
    let failed = ask(&mut balance).await;
    assert!(failed.is_ok() || failed.unwrap_err().is::<Failed>());
}

proptest! {
    /// Over any span of picks, each has its share, give or take one turn for each other.
    #[test]
    fn weighted_is_fair_over_any_span(weights in prop::collection::vec(1..20_u32, 2..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sum: u32 = weights.iter().sum();
        let keys = &KEYS[..weights.len()];
        let by_key: HashMap<_, _> = keys.iter().copied().zip(weights.clone()).collect();
        let layer = BalanceLayer::new(keys.iter().copied())
            .policy(Weighted::new())
            .weight(move |key| by_key[key]);
        let mut balance = layer.layer(World::default().maker());

        let picked = runtime.block_on(ask_times(&mut balance, 3 * sum as usize));

        for (span, _) in picked.iter().enumerate() {
            for (key, weight) in keys.iter().zip(&weights) {
                let due = f64::from(*weight) * span as f64 / f64::from(sum);
                let had = count(&picked[..span], key) as f64;
                prop_assert!((due - had).abs() <= weights.len() as f64 / 2.0 + 0.5);
            }
        }
    }

    /// Whoever comes and goes, the next one in the order of arrival follows the one that was picked
    /// last: nobody is repeated, and nobody who stays is left out.
    #[test]
    fn round_robin_is_smooth_when_the_set_changes(changes in prop::collection::vec(0..6_usize, 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        const ALL: [Key; 6] = ["0", "1", "2", "3", "4", "5"];
        let layer = BalanceLayer::new(["0", "1"]).policy(RoundRobin::new());
        let mut balance = layer.layer(World::default().maker());
        let targets = layer.targets();
        let mut arrived = vec![(1, "0"), (2, "1")];
        let (mut arrivals, mut last) = (2, 0);
        for change in changes {
            let key = ALL[change];
            if change > 1 && targets.remove(&key) {
                arrived.retain(|(_, known)| *known != key);
            } else if change > 1 {
                targets.insert(key);
                arrivals += 1;
                arrived.push((arrivals, key));
            }
            let picked = runtime.block_on(ask_times(&mut balance, 1))[0];
            let next = arrived.iter().find(|(n, _)| *n > last).unwrap_or(&arrived[0]);
            prop_assert_eq!(picked, next.1);
            last = next.0;
        }
    }
}

//! How backends start that nothing is known of.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, MILLISECOND, SECOND, World, ask, ask_times, count, settle, traffic};
use tower::Layer;
use wt_balance::{BalanceLayer, PickFirst, RoundRobin};

/// Where the others take 20 ms, a backend that has not answered yet counts as 20 ms: it is neither
/// flooded nor left out.
#[tokio::test(start_paused = true)]
async fn a_fresh_backend_starts_at_the_median() {
    let world = World::default();
    for key in ["a", "b", "c", "d"] {
        world.act(key, Act::After(20 * MILLISECOND));
    }
    let layer = BalanceLayer::new(["a", "b", "c"]).slow_start(Duration::ZERO);
    let balance = layer.layer(world.maker());
    traffic(&balance, 12, SECOND).await;

    world.act("d", Act::Hang);
    layer.targets().insert("d");
    for _ in 0..16 {
        let mut balance = balance.clone();
        tokio::spawn(async move { ask(&mut balance).await });
    }
    settle().await;

    let fresh = world.under_way("d");
    assert!((3..=5).contains(&fresh), "{fresh} of 16");
}

/// Where the others take 5, 10, 40 and twice 400 ms, it counts as 40: no mean of any kind, which is
/// more, nor the least or the most of them.
#[tokio::test(start_paused = true)]
async fn a_fresh_backend_starts_at_the_median_of_those_that_are_unlike() {
    let world = World::default();
    let known = [("a", 5), ("b", 10), ("c", 40), ("d", 400), ("e", 400)];
    for (key, took) in known {
        world.act(key, Act::After(took * MILLISECOND));
    }
    let layer = BalanceLayer::new(known.map(|(key, _)| key)).slow_start(Duration::ZERO);
    let balance = layer.layer(world.maker());
    let mut in_turn = balance.clone().policy(RoundRobin::new());
    ask_times(&mut in_turn, 5).await;
    tokio::time::sleep(20 * MILLISECOND).await;
    // With this one, what is typical is looked at again.
    ask_times(&mut in_turn, 5).await;

    world.act("f", Act::Hang);
    known.iter().for_each(|(key, _)| world.act(key, Act::Hang));
    layer.targets().insert("f");
    for _ in 0..16 {
        let mut balance = balance.clone();
        tokio::spawn(async move { ask(&mut balance).await });
    }
    settle().await;

    let [a, b, rest @ ..] = ["a", "b", "c", "d", "e", "f"].map(|key| world.under_way(key));
    // The tenth of the one is as dear as the fifth of the other.
    assert!(matches!((a, b), (9, 5) | (10, 4)), "{a} and {b}");
    assert_eq!(rest, [1, 0, 0, 1]);
}

/// Of two, one was slow by chance: the others are not taken for as slow, or none of them would be
/// tried.
#[tokio::test(start_paused = true)]
async fn those_that_nobody_has_tried_are_tried() {
    let world = World::default();
    for key in ["a", "b", "c", "d"] {
        world.act(key, Act::After(20 * MILLISECOND));
    }
    let mut balance = world.balance(["a", "b", "c", "d"]);
    let mut in_turn = balance.clone().policy(RoundRobin::new());
    ask(&mut in_turn).await.unwrap();
    world.act("b", Act::After(200 * MILLISECOND));
    ask(&mut in_turn).await.unwrap();
    // With this one, what is typical is looked at.
    let mut first = balance.clone().policy(PickFirst::default());
    ask(&mut first).await.unwrap();

    let keys = ask_times(&mut balance, 100).await;

    for key in ["a", "c", "d"] {
        assert!(count(&keys, key) > 15, "{keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fresh_backend_starts_slowly() {
    let world = World::default();
    for key in ["a", "b", "c", "d"] {
        world.act(key, Act::After(20 * MILLISECOND));
    }
    let layer = BalanceLayer::new(["a", "b", "c"]).slow_start(10 * SECOND);
    let balance = layer.layer(world.maker());
    traffic(&balance, 40, 10 * SECOND).await;
    layer.targets().insert("d");

    let mut shares = Vec::new();
    for _ in 0..6 {
        let before = world.calls("d");
        let (good, _) = traffic(&balance, 40, 2 * SECOND).await;
        shares.push((world.calls("d") - before) as f64 / good as f64);
    }

    assert!(shares[0] < 0.1, "{shares:?}");
    assert!(shares[0] < shares[2] && shares[2] < shares[5], "{shares:?}");
    assert!((0.2..0.3).contains(&shares[5]), "{shares:?}");
}

/// Backends that come one after the other at the start are all new: the first one used to get all
/// that the others were spared.
#[tokio::test(start_paused = true)]
async fn a_set_that_trickles_in_does_not_start_slowly() {
    let world = World::default();
    for key in ["a", "b", "c", "d"] {
        world.act(key, Act::After(20 * MILLISECOND));
    }
    let layer = BalanceLayer::new(["a"]);
    let balance = layer.layer(world.maker());
    for key in ["b", "c", "d"] {
        traffic(&balance, 40, 100 * MILLISECOND).await;
        layer.targets().insert(key);
    }
    traffic(&balance, 40, SECOND).await;

    let before = world.calls("a");
    let (good, _) = traffic(&balance, 40, SECOND).await;

    let share = (world.calls("a") - before) as f64 / good as f64;
    assert!((0.2..0.3).contains(&share), "{share}");
}

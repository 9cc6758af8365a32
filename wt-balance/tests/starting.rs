//! How backends start that nothing is known of.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, MILLISECOND, SECOND, World, ask, settle, traffic};
use tower::Layer;
use wt_balance::BalanceLayer;

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

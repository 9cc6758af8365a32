//! How calls are shared that come one after the other.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Act, Key, MILLISECOND, SECOND, World, ask};
use tower::Layer;
use wt_balance::BalanceLayer;

const KEYS: [Key; 4] = ["a", "b", "c", "d"];

/// No call is under way when the next one is made, so that nothing tells backends apart but how
/// long each call has taken by chance: the one that had been lucky used to get nearly all calls.
#[tokio::test(start_paused = true)]
async fn backends_that_are_alike_but_for_chance_share_alike() {
    for seed in 0..5 {
        fastrand::seed(seed);
        let mut chance = fastrand::Rng::with_seed(seed);
        let world = World::default();
        // Ten thousand calls, as those of 1 ms are by default.
        let layer = BalanceLayer::new(KEYS).decay(200 * SECOND);
        let mut balance = layer.layer(world.maker());

        for _ in 0..3000 {
            // Some a little longer, and few of them much.
            let noise = 0.2 * chance.f64() - 0.1 * (1.0 - chance.f64()).ln();
            let took = (20 * MILLISECOND).mul_f64(1.0 + noise);
            KEYS.iter().for_each(|key| world.act(key, Act::After(took)));
            ask(&mut balance).await.unwrap();
        }

        let shares = KEYS.map(|key| world.calls(key) as f64 / 3000.0);
        let fair = |share: &f64| (0.15..0.35).contains(share);
        assert!(shares.iter().all(fair), "{shares:.2?} with {seed}");
    }
}

/// What differs by more than chance does still makes a difference.
#[tokio::test(start_paused = true)]
async fn one_that_is_slower_by_half_gets_less() {
    let world = World::default();
    KEYS.iter()
        .for_each(|key| world.act(key, Act::After(20 * MILLISECOND)));
    world.act("c", Act::After(30 * MILLISECOND));
    let mut balance = BalanceLayer::new(KEYS).layer(world.maker());

    for _ in 0..3000 {
        ask(&mut balance).await.unwrap();
    }

    let share = world.calls("c") as f64 / 3000.0;
    assert!(share < 0.1, "{share}");
}

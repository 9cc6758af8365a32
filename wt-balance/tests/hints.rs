//! What a failure says of when to try again.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, Failed, Key, MILLISECOND, SECOND, World, ask, traffic};
use tokio::time::sleep;
use tower::Layer;
use wt_balance::{BalanceLayer, Outcome, PickFirst};

const KEYS: [Key; 4] = ["a", "b", "c", "d"];

#[tokio::test(start_paused = true)]
async fn a_hint_is_honoured_and_is_not_for_ever() {
    let world = World::default();
    let hint = |result: Result<&Key, &Failed>| match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure {
            retry_after: Some(30 * SECOND),
        },
    };
    world.act("a", Act::Fail);
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let fresh = layer.classify(hint).layer(world.maker());
    assert!(ask(&mut fresh.clone()).await.is_err());
    world.act("a", Act::Answer);

    for _ in 0..29 {
        assert_eq!(ask(&mut fresh.clone()).await.unwrap(), "b");
        sleep(SECOND).await;
    }
    sleep(2 * SECOND).await;

    assert_eq!(ask(&mut fresh.clone()).await.unwrap(), "a");
}

/// It would be tried again sooner without a hint, and is, after its end, at once.
#[tokio::test(start_paused = true)]
async fn a_hint_is_honoured_among_others_by_the_default_policy() {
    async fn calls_to_it(hint: Option<Duration>) -> [usize; 2] {
        let world = World::default();
        KEYS.iter()
            .for_each(|key| world.act(key, Act::After(10 * MILLISECOND)));
        let classify = move |result: Result<&Key, &Failed>| match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::Failure { retry_after: hint },
        };
        let layer = BalanceLayer::new(KEYS).classify(classify);
        let balance = layer.layer(world.maker());
        traffic(&balance, 8, SECOND).await;
        world.act("a", Act::Fail);
        assert!(
            ask(&mut balance.clone().policy(PickFirst::default()))
                .await
                .is_err()
        );
        world.act("a", Act::After(10 * MILLISECOND));
        let before = world.calls("a");
        traffic(&balance, 8, 9 * SECOND).await;
        let early = world.calls("a") - before;
        traffic(&balance, 8, 2 * SECOND).await;
        [early, world.calls("a") - before - early]
    }

    let [early, late] = calls_to_it(Some(10 * SECOND)).await;
    assert_eq!(early, 0);
    assert!(late > 0);
    let [early, _] = calls_to_it(None).await;
    assert!(early > 100, "{early}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_takes_nobody_out_of_service_who_is_alone() {
    let world = World::default();
    world.act("a", Act::Fail);
    let hint = |result: Result<&Key, &Failed>| match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure {
            retry_after: Some(Duration::MAX),
        },
    };
    let mut balance = BalanceLayer::new(["a"]).classify(hint).layer(world.maker());

    for _ in 0..3 {
        assert!(ask(&mut balance).await.unwrap_err().is::<Failed>());
    }
}

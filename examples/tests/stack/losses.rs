//! One server of several is lost under load.

use std::time::Duration;

use examples::stack::{Stack, TRY_TIMEOUT};
use tokio::time::sleep;
use wt_connection::Target;

use crate::fleet::{Fleet, eventually};
use crate::load::Load;

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    Killed,
    Frozen,
}

/// How many attempts a backend was given, and how many of these are under way.
fn attempts<C>(stack: &Stack<C>, target: &Target) -> (u64, usize) {
    let snapshot = stack.figures.balance();
    let mut backends = snapshot.backends.iter();
    let backend = backends.find(|backend| backend.key == *target).unwrap();
    (backend.calls, backend.in_flight)
}

/// Loses one of four servers under load; gives how long the slowest call took.
async fn loses_a_server(loss: Loss) -> Duration {
    let mut fleet = Fleet::start(4).await;
    let stack = fleet.client();
    let load = Load::of(8, &stack.client);
    let lost = fleet.targets()[2].clone();
    eventually("all are called", || {
        let backends = stack.figures.balance().backends;
        backends.iter().all(|backend| backend.calls > 100)
    })
    .await;

    match loss {
        Loss::Killed => fleet.servers[2].kill().await.unwrap(),
        Loss::Frozen => fleet.servers[2].freeze().await.unwrap(),
    }
    let (given, under_way) = attempts(&stack, &lost);
    // Whoever was under way has failed by then, and whoever may be tempted to ask has.
    sleep(2 * TRY_TIMEOUT).await;
    eventually("attempts end", || attempts(&stack, &lost).1 == 0).await;
    load.goes_on(1000).await;

    assert_eq!(load.failures(), [""; 0]);
    // Those that it was given since all fail, whatever they are taken for.
    let more = attempts(&stack, &lost).0 - given;
    assert!(
        more <= 5,
        "{more} attempts, though it was lost, beyond {under_way} under way"
    );
    load.slowest()
}

#[tokio::test]
async fn a_killed_server_costs_no_call_and_few_attempts() {
    loses_a_server(Loss::Killed).await;
}

#[tokio::test]
async fn a_silent_server_costs_its_calls_one_timeout_each() {
    let slowest = loses_a_server(Loss::Frozen).await;

    assert!(slowest < 2 * TRY_TIMEOUT, "a call took {slowest:?}");
}

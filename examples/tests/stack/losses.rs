//! One server of several is lost under load.

use std::thread;
use std::time::Duration;

use examples::servers::ServerProcess;
use examples::stack::{Stack, TRY_TIMEOUT};
use tokio::runtime::Builder;
use tokio::time::sleep;
use wt_connection::Target;

use crate::fleet::{Fleet, alone, eventually};
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
    let _alone = alone().await;
    let mut fleet = Fleet::start(4).await;
    let stack = fleet.client();
    let load = Load::of(8, &stack.client);
    let lost = fleet.targets()[2].clone();
    eventually("all are called", || {
        let backends = stack.figures.balance().backends;
        backends.iter().all(|backend| backend.calls > 100)
    })
    .await;

    // Nothing else happens in this process until the signal is sent: all attempts beyond these are
    // made of a server that is lost.
    let (given, under_way) = attempts(&stack, &lost);
    match loss {
        Loss::Killed => fleet.servers[2].kill().await.unwrap(),
        Loss::Frozen => freeze(&mut fleet.servers[2]),
    }
    // Whoever is to be tempted to ask again has been, several times.
    sleep(3 * REST).await;
    eventually("attempts end", || attempts(&stack, &lost).1 == 0).await;
    load.goes_on(1000).await;

    assert_eq!(load.failures(), [""; 0]);
    // Those all fail, whatever they are taken for.
    let more = attempts(&stack, &lost).0 - given;
    assert!(
        more <= 5,
        "{more} attempts, though it was lost, beyond {under_way} under way"
    );
    let slowest = load.slowest();
    drop(load);
    eventually("slots come back", || stack.figures.pool().total.lent == 0).await;
    slowest
}

/// Has this thread wait until the server stands still.
fn freeze(server: &mut ServerProcess) {
    let freeze = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(server.freeze())
    };
    let frozen = thread::scope(|scope| scope.spawn(freeze).join().unwrap());
    frozen.unwrap();
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

/// How long the balancer passes over who fails, at most, before it tries again.
const REST: Duration = Duration::from_secs(4);

//! How long a call counts, and who is told which backend answered.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Act, Failed, Key, MILLISECOND, SECOND, World, ask, settle};
use tokio::time::sleep;
use tower::load::TrackCompletion;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_balance::{AnsweredBy, BalanceLayer, InExtensions, InFlight, LeastRequests};

/// As a session does: it holds the call until it is closed.
#[derive(Clone, Copy)]
struct UntilClosed;

#[derive(Debug)]
struct Session {
    key: Key,
    _held: InFlight,
}

impl TrackCompletion<InFlight, Key> for UntilClosed {
    type Output = Session;

    fn track_completion(&self, held: InFlight, key: Key) -> Session {
        Session { key, _held: held }
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_session_counts_as_load() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"])
        .policy(LeastRequests::default())
        .completion(UntilClosed);
    let mut balance = layer.layer(world.maker());

    let mut sessions = Vec::new();
    for _ in 0..10 {
        sessions.push(balance.ready().await.unwrap().call(0).await.unwrap());
    }
    let open: Vec<_> = balance
        .snapshot()
        .backends
        .iter()
        .map(|b| b.in_flight)
        .collect();
    assert_eq!(open, [5, 5]);
    sessions.retain(|session| session.key == "b");
    let again = balance.ready().await.unwrap().call(0).await.unwrap();

    assert_eq!(again.key, "a");
    drop((sessions, again));
    assert_eq!(balance.snapshot().in_flight, 0);
}

/// An hour of a session is not the time that it took to open it.
#[tokio::test(start_paused = true)]
async fn the_latency_is_that_of_the_response() {
    let world = World::default();
    world.act("a", Act::After(10 * MILLISECOND));
    let mut balance = BalanceLayer::new(["a"])
        .completion(UntilClosed)
        .layer(world.maker());

    let session = balance.ready().await.unwrap().call(0).await.unwrap();
    sleep(SECOND).await;
    drop(session);

    let backend = &balance.snapshot().backends[0];
    assert!(backend.latency.unwrap() <= 10 * MILLISECOND, "{backend:?}");
    assert_eq!(backend.failures, 0);
}

/// It keeps figures alive, and no service.
#[tokio::test]
async fn a_session_outlives_its_backend_and_its_balancer() {
    let world = World::default();
    let layer = BalanceLayer::new(["a"]).completion(UntilClosed);
    let mut balance = layer.layer(world.maker());
    let session = balance.ready().await.unwrap().call(0).await.unwrap();

    layer.targets().remove(&"a");
    assert_eq!(world.services("a"), 0);
    assert_eq!(balance.snapshot().in_flight, 1);
    assert_eq!(balance.shutdown(Duration::ZERO).await, 1);
    drop(balance);

    drop(session);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_sessions() {
    let world = World::default();
    let mut balance = BalanceLayer::new(["a"])
        .completion(UntilClosed)
        .layer(world.maker());
    let session = balance.ready().await.unwrap().call(0).await.unwrap();
    let shutdown = tokio::spawn(balance.shutdown(60 * SECOND));
    settle().await;
    assert!(!shutdown.is_finished());

    drop(session);

    assert_eq!(shutdown.await.unwrap(), 0);
}

#[tokio::test]
async fn a_response_of_http_bears_who_answered() {
    let maker = |_: Key| service_fn(|(): ()| async { Ok::<_, Failed>(http::Response::new(())) });
    let mut balance = BalanceLayer::new(["a"]).tell(InExtensions).layer(maker);

    let response = balance.ready().await.unwrap().call(()).await.unwrap();

    let answered = response.extensions().get::<AnsweredBy<Key>>();
    assert_eq!(answered, Some(&AnsweredBy("a")));
}

#[tokio::test]
async fn a_closure_is_told_who_answered_and_who_failed() {
    let world = World::default();
    world.act("b", Act::Fail);
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let tell = move |key: &Key, result: Result<&mut Key, &Failed>| {
        heard.lock().unwrap().push((*key, result.is_ok()));
        if let Ok(response) = result {
            *response = "changed";
        }
    };
    let layer = BalanceLayer::new(["a", "b"])
        .policy(wt_balance::RoundRobin::new())
        .tell(tell);
    let mut balance = layer.layer(world.maker());

    assert_eq!(ask(&mut balance).await.unwrap(), "changed");
    assert!(ask(&mut balance).await.is_err());

    assert_eq!(*told.lock().unwrap(), [("a", true), ("b", false)]);
}

#[tokio::test]
async fn a_keyed_policy_tells_too() {
    let world = World::default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let layer = BalanceLayer::new(["a"])
        .policy(wt_balance::Ring::new(|request: &u32| *request))
        .tell(move |key: &Key, _: Result<&mut Key, &Failed>| heard.lock().unwrap().push(*key));

    ask(&mut layer.layer(world.maker())).await.unwrap();

    assert_eq!(*told.lock().unwrap(), ["a"]);
}

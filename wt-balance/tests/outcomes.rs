//! What is a failure of a backend, and what is none.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, Failed, Is, Key, MILLISECOND, World, ask, ask_times, count};
use tokio::time::sleep;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_balance::{BalanceLayer, Outcome};

/// What a limit on this side refuses says nothing of the backend.
#[tokio::test(start_paused = true)]
async fn local_errors_are_not_blamed_on_a_backend() {
    let world = World::default();
    for key in ["1", "2"] {
        world.act(key, Act::After(10 * MILLISECOND));
    }
    let maker = world.maker();
    let shedding = move |key| tower::load_shed::LoadShed::new(ConcurrencyLimit::new(maker(key), 1));
    let mut balance = BalanceLayer::new(["1", "2"]).layer(shedding);
    let mut under_way: Vec<_> = Vec::new();
    for _ in 0..20 {
        under_way.push(balance.ready().await.unwrap().call(0));
    }

    let mut refused = 0;
    for call in under_way {
        refused += usize::from(call.await.is_err());
    }

    let snapshot = balance.snapshot();
    assert!(refused > 10, "{refused}");
    assert_eq!((snapshot.failures, snapshot.failing), (0, 0));
    assert!(snapshot.backends.iter().all(|backend| !backend.failing));
}

/// Nor do the balancer's own.
#[tokio::test(start_paused = true)]
async fn to_have_waited_in_vain_is_not_blamed_on_a_backend() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(Duration::ZERO);
    let mut balance = layer.layer(world.maker());

    for _ in 0..10 {
        assert!(ask(&mut balance).await.is_err());
    }

    let snapshot = balance.snapshot();
    assert_eq!((snapshot.calls, snapshot.failures), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_the_classifier_ignores_leaves_no_trace() {
    let world = World::default();
    world.act("a", Act::Fail);
    let ignore = |_: Result<&Key, &Failed>| Outcome::Ignore;
    let mut balance = BalanceLayer::new(["a"])
        .classify(ignore)
        .layer(world.maker());

    let _ = ask(&mut balance).await;

    let backend = &balance.snapshot().backends[0];
    assert_eq!((backend.calls, backend.failures), (1, 0));
    assert_eq!(backend.latency, None);
}

#[tokio::test(start_paused = true)]
async fn a_response_may_be_a_failure() {
    let service = |key: Key| {
        service_fn(move |_: u32| async move {
            sleep(10 * MILLISECOND).await;
            Ok::<_, Failed>(key)
        })
    };
    let classify = |result: Result<&Key, &Failed>| match result {
        Ok(&"bad") => Outcome::FAILURE,
        _ => Outcome::Success,
    };
    let layer = BalanceLayer::new(["bad", "good"]).classify(classify);
    let mut balance = layer.layer(service);

    let keys = ask_times(&mut balance, 100).await;

    assert!(count(&keys, "bad") <= 5, "{}", count(&keys, "bad"));
}

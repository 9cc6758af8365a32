//! Calls that are given up, and backends that never answer.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use tokio::time::timeout;
use tokio_test::assert_ready_ok;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use wt_health::event::Reason;
use wt_health::snapshot::State;

use common::{Backend, SECOND, calls, ejected, is_ejected, monitor, pass, poll};

#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_eject_nobody() {
    let monitor = monitor();
    let mut service = monitor.layer("a").layer(Backend::silent());

    for _ in 0..1000 {
        let call = service.ready().await.unwrap().call(());
        assert!(timeout(SECOND, call).await.is_err());
    }

    assert_ready_ok!(poll(&mut service));
    let snapshot = monitor.snapshot();
    let backend = &snapshot.backends[0];
    assert_eq!((backend.failures, backend.ignored), (0, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_ejected_by_a_timeout_below() {
    let monitor = monitor();
    let mut service = ServiceBuilder::new()
        .layer(monitor.layer("a"))
        .layer(TimeoutLayer::new(SECOND))
        .service(Backend::silent());

    calls(&mut service, 5).await;

    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_ejected_by_a_timeout_above_if_calls_may_be_overdue() {
    let monitor = monitor();
    let mut service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(SECOND))
        .layer(monitor.layer("a").overdue(Some(SECOND)))
        .service(Backend::silent());

    for _ in 0..5 {
        let answer = service.ready().await.unwrap().call(()).await;
        assert!(answer.unwrap_err().is::<tower::timeout::error::Elapsed>());
    }

    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_given_up_before_they_are_overdue_say_nothing() {
    let monitor = monitor();
    let layer = monitor.layer("a").overdue(Some(SECOND));
    let mut service = layer.layer(Backend::silent());

    for _ in 0..100 {
        let call = service.ready().await.unwrap().call(());
        // The clock is late by up to an eighth of a second.
        let limit = SECOND - Duration::from_millis(126);
        assert!(timeout(limit, call).await.is_err());
    }

    assert_ready_ok!(poll(&mut service));
}

#[tokio::test(start_paused = true)]
async fn a_long_idle_time_makes_no_call_overdue() {
    let monitor = monitor();
    let layer = monitor.layer("a").overdue(Some(SECOND));
    let mut service = layer.layer(Backend::silent());

    for _ in 0..100 {
        pass(100 * SECOND).await;
        let call = service.ready().await.unwrap().call(());
        assert!(timeout(SECOND / 2, call).await.is_err());
    }

    let backend = &monitor.snapshot().backends[0];
    assert_eq!((backend.failures, backend.ignored), (0, 100));
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_is_overdue_has_failed() {
    let monitor = monitor();
    let (service, backend) = ejected(&monitor, "a").await;
    drop(service);
    let silent = Backend::silent();
    let layer = monitor.layer("a").overdue(Some(SECOND));
    let mut service = layer.layer(silent);
    drop(backend);
    pass(30 * SECOND).await;

    let call = service.ready().await.unwrap().call(());
    assert!(timeout(SECOND, call).await.is_err());

    let Some(State::Ejected { reason, .. }) = monitor.state(&"a") else {
        panic!("it is ejected");
    };
    assert_eq!(reason, Reason::Proof);
}

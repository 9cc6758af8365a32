//! Which instance is called, who waits, and what is held meanwhile.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use tower_test::mock;
use wt_health::{HealthLayer, Monitor};

use common::{
    Backend, Count, Key, MOMENT, SECOND, calls, ejected, is_ejected, monitor, pass, poll,
    poll_ready,
};

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_service_below() {
    let monitor = monitor();
    let (mut service, mut handle) = mock::spawn_layer::<(), (), _>(monitor.layer("a"));

    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
    assert_ready_ok!(service.poll_ready());
    drop(service.call(()));
    handle.send_error("gone");
    assert_eq!(assert_ready_err!(service.poll_ready()).to_string(), "gone");
}

#[tokio::test(start_paused = true)]
async fn the_readied_instance_is_called() {
    let monitor = monitor();
    let (mut service, mut handle) = mock::spawn_layer::<u32, u32, _>(monitor.layer("a"));
    assert_ready_ok!(service.poll_ready());
    // A clone of the mock that was not readied would panic.
    let mut call = task::spawn(service.call(1));
    assert_pending!(call.poll());

    let (request, answer) = handle.next_request().await.unwrap();
    answer.send_response(request + 1);

    assert_eq!(assert_ready_ok!(call.poll()), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_ejected_backend_is_not_woken_until_its_end() {
    let monitor = monitor();
    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let (count, waker) = Count::waker();
    assert_pending!(poll_ready(&mut service, &waker));

    pass(30 * SECOND - MOMENT).await;
    assert_eq!(count.get(), 0);
    assert_pending!(poll_ready(&mut service, &waker));
    assert_eq!(count.get(), 0);
    pass(10 * MOMENT).await;

    assert_eq!(count.get(), 1);
    assert_ready_ok!(poll_ready(&mut service, &waker));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_is_polled_as_often_as_it_has_to_be() {
    let monitor = monitor();
    let (service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let mut service = service;
    let waiting = tokio::spawn(std::future::poll_fn(move |cx| {
        let before = counted.fetch_add(1, Ordering::Relaxed);
        // No time would pass.
        assert!(before < 100, "it is busy");
        service.poll_ready(cx)
    }));

    waiting.await.unwrap().unwrap();

    assert_eq!(polls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn while_all_are_ejected_there_are_few_wake_ups() {
    let monitor = common::strict().build();
    let mut waiting = Vec::new();
    for key in ["a", "b", "c"] {
        let layer = monitor.layer(key).overdue(Some(SECOND));
        let mut service = layer.layer(Backend::failing());
        calls(&mut service, 5).await;
        waiting.push(tokio::spawn(async move { service.ready().await.map(drop) }));
    }
    pass(SECOND).await;
    let parks = || Handle::current().metrics().worker_park_count(0);
    let before = parks();

    pass(20 * SECOND).await;

    let woken = parks() - before;
    assert!(woken <= 10 * 20, "{woken}");
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_and_goes_leaves_no_trace() {
    let monitor = monitor();
    let (service, _backend) = ejected(&monitor, "a").await;
    let (count, waker) = Count::waker();
    let mut gone = service.clone();
    assert_pending!(poll_ready(&mut gone, &waker));

    drop(gone);

    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    pass(40 * SECOND).await;
    assert_eq!(count.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clone_waits_for_itself() {
    let monitor = monitor();
    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut service));

    assert_pending!(poll(&mut service.clone()));
}

#[tokio::test(start_paused = true)]
async fn a_layer_makes_services_of_one_backend() {
    let monitor = monitor();
    let layer: HealthLayer = monitor.layer("a");
    let mut first = layer.layer(Backend::failing());
    let mut second = monitor.layer("a").layer(Backend::new());

    calls(&mut first, 5).await;

    assert_pending!(poll(&mut first));
    assert_pending!(poll(&mut second));
    assert_pending!(poll(&mut layer.clone().layer(Backend::new())));
}

#[tokio::test(start_paused = true)]
async fn who_was_ready_before_an_ejection_may_call() {
    let monitor = monitor();
    let backend = Backend::failing();
    let mut early = monitor.layer("a").layer(backend.clone());
    let mut service = early.clone();
    assert_ready_ok!(poll(&mut early));
    calls(&mut service, 5).await;

    backend.fail(false);
    early.call(()).await.unwrap();

    // It says nothing of a backend that is ejected.
    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn with_no_monitor_left_but_its_services_all_goes_on() {
    let monitor: Monitor<Key> = Monitor::new();
    let (mut service, backend) = ejected(&monitor, "a").await;
    drop(monitor);
    backend.fail(false);

    let ready = service.ready().await.unwrap().call(()).await;

    assert_eq!(ready, Ok(()));
    assert!(matches!(poll(&mut service), Poll::Ready(Ok(()))));
}

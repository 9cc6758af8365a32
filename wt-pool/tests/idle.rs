//! Idle tracking by itself.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::Held;
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;
use wt_pool::IdleLayer;

#[tokio::test(start_paused = true)]
async fn the_action_runs_once_in_each_idle_period() {
    let (layer, runs) = counting();
    let mut service = layer.layer(echo());
    service.ready().await.unwrap().call(1).await.unwrap();

    pass(59).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    pass(2).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    pass(600).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "once in this period");
    service.ready().await.unwrap().call(1).await.unwrap();
    pass(61).await;

    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_watched_before_it_is_used() {
    let (layer, runs) = counting();
    let _service = layer.layer(echo());

    pass(61).await;

    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_watched_again_after_its_action_has_panicked() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let layer = IdleLayer::new(Duration::from_secs(60), move || {
        assert!(
            counter.fetch_add(1, Ordering::SeqCst) > 0,
            "for the first time"
        );
    });
    let mut service = layer.layer(echo());
    pass(61).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);

    service.ready().await.unwrap().call(1).await.unwrap();
    pass(61).await;

    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_flight_is_use_however_long_it_takes() {
    let (layer, runs) = counting();
    let mut service = layer.layer(service_fn(|()| pending::<Result<(), Infallible>>()));
    let handle = service.handle();
    let mut call = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(call.poll());

    pass(600).await;
    assert_eq!((handle.in_flight(), runs.load(Ordering::SeqCst)), (1, 0));
    drop(call);
    assert_eq!(handle.in_flight(), 0);
    pass(59).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    pass(2).await;

    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn activity_is_recorded_by_hand() {
    let (layer, runs) = counting();
    let service = layer.layer(echo());
    let handle = service.handle();

    for _ in 0..10 {
        pass(50).await;
        handle.record();
        assert_eq!(handle.last_activity(), Instant::now());
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    pass(61).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    handle.record();
    pass(61).await;

    assert_eq!(runs.load(Ordering::SeqCst), 2, "the next period");
}

#[tokio::test(start_paused = true)]
async fn the_last_activity_is_the_begin_or_the_end_of_a_call() {
    let (layer, _) = counting();
    let mut service = layer.layer(service_fn(|()| async {
        sleep(Duration::from_secs(5)).await;
        Ok::<_, Infallible>(())
    }));
    let handle = service.handle();
    let began = Instant::now();
    pass(10).await;
    assert_eq!(handle.last_activity(), began);

    let mut call = task::spawn(service.ready().await.unwrap().call(()));
    assert_pending!(call.poll());
    assert_eq!(handle.last_activity(), began + Duration::from_secs(10));
    pass(5).await;
    assert_ready_ok!(call.poll());

    assert_eq!(handle.last_activity(), began + Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn readiness_and_errors_are_those_of_the_service() {
    let (layer, _) = counting();
    let (service, mut handle) = mock::pair::<u32, u32>();
    handle.allow(0);
    let mut service = layer.layer(service);
    let mut readiness = task::spawn(());
    let mut ready = || readiness.enter(|cx, _| service.poll_ready(cx));
    assert!(ready().is_pending());

    handle.allow(1);
    assert!(ready().is_ready());
    let mut call = task::spawn(service.call(7));
    assert_pending!(call.poll());
    let (request, respond) = handle.next_request().await.unwrap();
    respond.send_error("no");

    assert_eq!(request, 7);
    assert_eq!(call.await.unwrap_err().to_string(), "no");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_flight_for_as_long_as_the_completion_says() {
    let (layer, _) = counting();
    let held = Held::default();
    let mut service = layer.completion(held.clone()).layer(echo());
    let handle = service.handle();

    service.ready().await.unwrap().call(1).await.unwrap();
    assert_eq!(handle.in_flight(), 1);
    held.clear();

    assert_eq!(handle.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn clones_are_tracked_together_and_services_apart() {
    let (layer, runs) = counting();
    let service = layer.layer(echo());
    let mut clone = service.clone();
    let handle = service.handle();
    let other = layer.layer(echo());

    pass(50).await;
    clone.ready().await.unwrap().call(1).await.unwrap();
    pass(11).await;

    assert_eq!(runs.load(Ordering::SeqCst), 1, "the other one");
    assert!(handle.last_activity() > other.handle().last_activity());
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_the_last_of_the_service() {
    let (layer, runs) = counting();
    let mut service = layer.layer(echo());
    service.ready().await.unwrap().call(1).await.unwrap();
    let handle = service.handle();
    drop(service);
    pass(1).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);

    drop(handle);
    pass(1).await;

    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    pass(600).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[test]
fn it_may_be_dropped_outside_of_a_runtime() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    let (layer, _) = counting();
    let mut service = layer.layer(echo());
    runtime.block_on(async { service.ready().await.map(drop).unwrap() });
    let call = {
        let _inside = runtime.enter();
        service.call(1)
    };

    drop(service);
    drop(call);
    drop(runtime);
}

fn counting() -> (IdleLayer, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let action = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    (IdleLayer::new(Duration::from_secs(60), action), runs)
}

fn echo() -> impl Service<u32, Response = u32, Error = Infallible, Future: Send> + Clone {
    service_fn(|request| async move { Ok(request) })
}

async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    yield_now().await;
    yield_now().await;
}

//! How long the monitor's task lives, and how often it wakes.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use tokio_test::{assert_pending, assert_ready_ok};
use tower::{BoxError, Layer};
use wt_health::probe::Probes;
use wt_health::{Ended, Monitor};

use common::{
    Backend, Count, Hooked, Key, SECOND, calls, ejected, monitor, pass, poll, poll_ready, settle,
};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_monitor_has_one_task_until_its_last_handle_is_dropped() {
    let monitor = monitor();
    let other = monitor.clone();
    let layer = monitor.layer("a");
    let service = layer.layer(Backend::new());
    let watch = monitor.watch("b");
    settle().await;
    assert_eq!(tasks(), 1);

    drop(monitor);
    drop(other);
    drop(layer);
    drop(watch);
    settle().await;
    assert_eq!(tasks(), 1);
    drop(service);
    settle().await;

    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn probes_under_way_end_with_it() {
    let held = Arc::new(());
    let hold = Arc::clone(&held);
    let probe = move |_: Key| {
        let hold = Arc::clone(&hold);
        async move {
            let _hold = hold;
            std::future::pending::<Result<(), BoxError>>().await
        }
    };
    let probes = Probes::from_fn(probe).timeout(1000 * SECOND);
    let monitor = Monitor::builder().probes(probes).build();
    let layers = [monitor.layer("a"), monitor.layer("b")];
    pass(2 * SECOND).await;
    assert_eq!(tasks(), 3);

    drop(monitor);
    drop(layers);
    settle().await;

    assert_eq!(tasks(), 0);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_outlives_it() {
    let monitor = monitor();
    let mut service = monitor.layer("a").layer(Backend::failing());
    let call = tower::Service::call(&mut service, ());
    drop(service);
    drop(monitor);
    settle().await;
    assert_eq!(tasks(), 0);

    assert_eq!(call.await, Err(common::Failed));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_holds_no_key() {
    let monitor = Monitor::new();
    let key = Arc::new(1);
    drop(monitor.layer(Arc::clone(&key)));
    assert!(Arc::strong_count(&key) > 1);

    pass(21 * SECOND).await;

    assert_eq!(Arc::strong_count(&key), 1);
}

#[test]
#[should_panic(expected = "runtime")]
fn a_monitor_outside_of_a_runtime_is_refused() {
    let _ = Monitor::<Key>::new();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "without probes")]
async fn agreement_without_probes_is_refused() {
    let builder = Monitor::<Key>::builder().combine(wt_health::Combine::BothEject);
    let _ = builder.build();
}

/// What holds until the end of the first runtime.
#[test]
fn all_are_used_once_its_runtime_has_ended() {
    let runtime = || {
        Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
    };
    let first = runtime().unwrap();
    let (_monitor, mut service) = first.block_on(async {
        let monitor = monitor();
        let (service, _) = ejected(&monitor, "a").await;
        (monitor, service)
    });
    let (count, waker) = Count::waker();
    assert_pending!(poll_ready(&mut service, &waker));

    drop(first);

    assert_eq!(count.get(), 1);
    let ready = runtime().unwrap().block_on(async { poll(&mut service) });
    assert_ready_ok!(ready);
}

#[tokio::test(start_paused = true)]
async fn all_are_used_once_it_has_panicked() {
    let probes = Probes::from_fn(|_| std::future::pending::<Result<(), BoxError>>());
    let monitor = Monitor::builder().probes(probes).build();
    let mut service = monitor.layer(Hooked("a")).layer(Backend::failing());
    calls(&mut service, 5).await;
    assert_pending!(poll(&mut service));
    let _other = monitor.layer(Hooked("b"));
    Hooked::hook(|| panic!("as it has to"));

    pass(SECOND).await;

    assert_ready_ok!(poll(&mut service));
    assert_eq!(tasks(), 0);
}

/// Nobody would tell those who watch of anything any more.
#[tokio::test(start_paused = true)]
async fn watches_end_once_it_has_panicked() {
    let probes = Probes::from_fn(|_| std::future::pending::<Result<(), BoxError>>());
    let monitor = Monitor::builder().probes(probes.at_once(1000)).build();
    // More than are kept to be told.
    let names = (0..300).map(|number| &*number.to_string().leak());
    let keys = names.chain(["b"]).map(Hooked);
    let watches: Vec<_> = keys.map(|key| monitor.watch(key)).collect();
    Hooked::hook(|| panic!("as it has to"));

    for watch in watches {
        let ended = timeout(2 * SECOND, watch).await.unwrap();
        assert!(matches!(ended, Ended::Stopped), "{ended:?}");
    }

    let ended = timeout(SECOND, monitor.watch(Hooked("a"))).await.unwrap();
    assert!(matches!(ended, Ended::Stopped), "{ended:?}");
}

//! A long-running watch, and why it ends.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::error::Error;
use std::future::pending;

use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer};
use wt_health::event::Reason;
use wt_health::probe::{ProbeError, Probes};
use wt_health::{Ended, Monitor, Override};

use common::{Backend, Key, Prober, SECOND, calls, ejected, monitor, pass, settle};

#[tokio::test(start_paused = true)]
async fn it_goes_on_as_long_as_probes_succeed_and_says_why_it_ended() {
    let prober = Prober::default();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0);
    let monitor = Monitor::builder().probes(probes).build();
    let mut watch = monitor.watch("a");

    assert!(timeout(10_000 * SECOND, &mut watch).await.is_err());
    assert!(prober.take().len() > 300);
    prober.fail(true);
    let began = Instant::now();
    let ended = watch.await;

    // An interval, and two fast ones.
    assert!(began.elapsed() <= 33 * SECOND);
    let Ended::Down(error) = &ended else {
        panic!("{ended:?}");
    };
    assert!(matches!(**error, ProbeError::Failed(_)));
    assert_eq!(ended.to_string(), "its probes fail");
    let source = ended.source().unwrap();
    assert_eq!(source.to_string(), "the probe failed");
    assert_eq!(source.source().unwrap().to_string(), "no");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_answers() {
    let silent = Probes::from_fn(|_: Key| pending::<Result<(), BoxError>>());
    // As soon as one probe has failed.
    let monitor = Monitor::builder().probes(silent.fall(1)).build();

    let ended = monitor.watch("a").await;

    assert!(matches!(ended, Ended::Down(error) if matches!(*error, ProbeError::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_an_ejection() {
    let monitor = monitor();
    let watch = tokio::spawn(monitor.watch("a"));
    settle().await;
    let mut service = monitor.layer("a").layer(Backend::failing());

    calls(&mut service, 5).await;

    let ended = watch.await.unwrap();
    assert!(
        matches!(
            ended,
            Ended::Ejected {
                reason: Reason::Consecutive,
                until: Some(_),
                ..
            }
        ),
        "{ended:?}"
    );
    // The next one has nothing to watch.
    assert!(matches!(monitor.watch("a").await, Ended::Ejected { .. }));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_backend_is_removed_or_taken_out() {
    let monitor = monitor();
    let removed = tokio::spawn(monitor.watch("a"));
    let drained = tokio::spawn(monitor.watch("b"));
    let lifted = monitor.watch("c");
    settle().await;

    monitor.remove(&"a");
    monitor.set_override(&"b", Override::Drain);
    monitor.set_override(&"c", Override::Up);

    let removed = timeout(SECOND, removed).await.unwrap();
    assert!(matches!(removed.unwrap(), Ended::Removed));
    let drained = timeout(SECOND, drained).await.unwrap().unwrap();
    assert!(matches!(drained, Ended::Overridden(Override::Drain)));
    assert!(matches!(
        monitor.watch("b").await,
        Ended::Overridden(Override::Drain)
    ));
    assert!(timeout(SECOND, lifted).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_does_not_end_by_what_was_before() {
    let monitor = monitor();
    let (service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    pass(30 * SECOND).await;
    let mut service = service;
    // Neither the end of the ejection nor a new one has been told yet.
    calls(&mut service, 1).await;
    monitor.set_override(&"a", Override::Down);
    monitor.set_override(&"a", None);

    let watch = monitor.watch("a");

    assert!(timeout(100 * SECOND, watch).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_ends_however_much_happens_at_once() {
    let monitor = monitor();
    let _other = monitor.layer("b");
    let watch = tokio::spawn(monitor.watch("a"));
    settle().await;

    // More than is kept to be told, before any of it is.
    monitor.set_override(&"a", Override::Drain);
    monitor.set_override(&"a", None);
    for _ in 0..300 {
        monitor.set_override(&"b", Override::Drain);
        monitor.set_override(&"b", None);
    }

    let ended = timeout(SECOND, watch).await.unwrap().unwrap();
    assert!(matches!(ended, Ended::Overridden(Override::Drain)));
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_once_if_the_backend_is_down_whatever_its_last_probe_has_found() {
    let prober = Prober::failing();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0);
    let monitor = Monitor::builder().probes(probes).build();
    let _layer = monitor.layer("a");
    pass(5 * SECOND).await;
    prober.fail(false);
    pass(55 * SECOND / 2).await;
    assert_eq!(monitor.snapshot().backends[0].probes_passed, 1);
    prober.fail(true);

    let ended = timeout(SECOND / 2, monitor.watch("a")).await.unwrap();

    assert!(matches!(ended, Ended::Down(_)), "{ended:?}");
}

/// What they had found was as old, and nothing was found anew as long as somebody looked.
#[tokio::test(start_paused = true)]
async fn it_does_not_end_by_what_probes_found_before_they_stopped() {
    let prober = Prober::failing();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0);
    let monitor = Monitor::builder().probes(probes).build();
    let _layer = monitor.layer("a");
    pass(3000 * SECOND).await;
    prober.fail(false);
    prober.take();

    let mut watch = monitor.watch("a");

    assert!(timeout(100 * SECOND, &mut watch).await.is_err());
    assert!(prober.take().len() > 3);
    prober.fail(true);
    let ended = timeout(33 * SECOND, watch).await.unwrap();
    assert!(matches!(ended, Ended::Down(_)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_if_the_backend_is_still_down_when_it_is_probed_again() {
    let prober = Prober::failing();
    let probes = Probes::from_fn(prober.probe()).jitter(0.0);
    let monitor = Monitor::builder().probes(probes).build();
    let _layer = monitor.layer("a");
    pass(3000 * SECOND).await;

    let ended = timeout(3 * SECOND, monitor.watch("a")).await.unwrap();

    assert!(matches!(ended, Ended::Down(_)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn it_has_the_backend_by_itself() {
    let monitor = monitor();
    let watch = monitor.watch("a");
    assert_eq!(monitor.snapshot().had, 1);

    drop(watch);

    assert_eq!(monitor.snapshot().had, 0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_watched_no_more_is_probed_while_it_is_called() {
    let prober = Prober::default();
    let monitor = Monitor::builder()
        .probes(Probes::from_fn(prober.probe()))
        .build();
    let _layer = monitor.layer("a");
    let watch = monitor.watch("a");
    pass(3000 * SECOND).await;
    assert!(prober.take().len() > 90);

    drop(watch);
    pass(3000 * SECOND).await;

    assert_eq!(prober.take(), []);
}

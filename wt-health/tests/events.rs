//! What those hear who subscribe.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use tokio::time::Instant;
use tower::{Service, ServiceExt};
use wt_health::event::{Event, Reason};
use wt_health::probe::Probes;
use wt_health::{Combine, Monitor};

use common::{Prober, SECOND, calls, ejected, monitor, pass, strict};

#[tokio::test(start_paused = true)]
async fn ejections_and_their_ends_are_events() {
    let monitor = monitor();
    let mut events = monitor.subscribe();
    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let until = Instant::now() + 30 * SECOND;

    service.ready().await.unwrap().call(()).await.unwrap();

    let event = events.next().await.unwrap();
    let Event::Ejected {
        key,
        reason,
        until: end,
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((key, reason, end), ("a", Reason::Consecutive, Some(until)));
    let event = events.next().await.unwrap();
    assert!(
        matches!(event, Event::Restored { key: "a", .. }),
        "{event:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn probes_that_fail_are_events() {
    let prober = Prober::failing();
    let monitor = Monitor::builder()
        .probes(Probes::from_fn(prober.probe()))
        .combine(Combine::EitherEjects)
        .build();
    let mut events = monitor.subscribe();
    let _layer = monitor.layer("a");

    for expected in 1..=3 {
        let event = events.next().await.unwrap();
        let Event::ProbeFailed {
            key,
            error,
            failures,
            ..
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!((key, failures), ("a", expected));
        assert_eq!(error.to_string(), "the probe failed");
    }
    let event = events.next().await.unwrap();
    let probes = Reason::Probes;
    assert!(matches!(event, Event::Ejected { reason, until: None, .. } if reason == probes));
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_its_end_are_events() {
    let monitor = strict().panic_threshold(Some(50)).build();
    let mut events = monitor.subscribe();
    let (mut first, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let _second = ejected(&monitor, "b").await;
    pass(30 * SECOND).await;

    // It may pass, panic as there is, and proves the backend.
    calls(&mut first, 1).await;

    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(events.next().await.unwrap());
    }
    assert!(
        matches!(heard[2], Event::PanicOn { out: 2, of: 2, .. }),
        "{heard:?}"
    );
    assert!(
        matches!(heard[3], Event::Restored { key: "a", .. }),
        "{heard:?}"
    );
    assert!(matches!(heard[4], Event::PanicOff), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn who_falls_behind_is_told() {
    let prober = Prober::failing();
    let probes = Probes::from_fn(prober.probe()).unused(None).jitter(0.0);
    let monitor = Monitor::builder().probes(probes).build();
    let mut events = monitor.subscribe();
    let _layer = monitor.layer("a");

    pass(9000 * SECOND).await;

    let event = events.next().await.unwrap();
    let Event::Missed(missed) = event else {
        panic!("{event:?}");
    };
    let made = prober.take().len() as u64;
    assert_eq!(missed, made - 256);
    let event = events.next().await.unwrap();
    assert!(
        matches!(event, Event::ProbeFailed { failures, .. } if u64::from(failures) == missed + 1)
    );
}

#[tokio::test(start_paused = true)]
async fn they_end_with_the_last_handle() {
    let monitor = monitor();
    let mut events = monitor.subscribe();
    let layer = monitor.layer("a");
    drop(monitor);
    drop(layer);

    assert!(events.next().await.is_none());
}

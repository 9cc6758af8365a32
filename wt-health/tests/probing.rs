//! What is probed, when, and what follows.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_test::{assert_pending, assert_ready_ok};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt};
use wt_health::event::Event;
use wt_health::probe::{Initial, ProbeError, Probes};
use wt_health::snapshot::State;
use wt_health::{Combine, Monitor, MonitorBuilder, Override};

use common::{
    Backend, Hooked, Key, MOMENT, Prober, SECOND, calls, ejected, is_ejected, pass, poll, settle,
};

fn exact(prober: &Prober) -> Probes<Key> {
    Probes::from_fn(prober.probe()).jitter(0.0)
}

fn probed(prober: &Prober) -> MonitorBuilder<Key> {
    Monitor::builder().probes(exact(prober))
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_probed_fast_at_first_and_then_each_interval() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let _layer = monitor.layer("a");

    pass(100 * SECOND).await;

    let seconds = [0, 1, 2, 32, 62, 92].map(Duration::from_secs);
    assert_eq!(prober.take(), seconds);
}

#[tokio::test(start_paused = true)]
async fn a_service_is_a_probe() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    // One that is ready for one call at a time, as many are.
    let service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service_fn(move |key: Key| {
            counted.fetch_add(1, Ordering::Relaxed);
            ready(if key == "bad" { Err("bad") } else { Ok(()) })
        });
    let probes = Probes::new(service);
    let monitor = Monitor::builder()
        .probes(probes)
        .combine(Combine::EitherEjects)
        .build();
    let _layers = [monitor.layer("good"), monitor.layer("bad")];

    pass(5 * SECOND).await;

    assert_eq!(monitor.state(&"good"), Some(State::Up));
    assert_eq!(monitor.state(&"bad"), Some(State::Down));
    assert_eq!(made.load(Ordering::Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_answered_has_failed() {
    let probes = Probes::from_fn(|_: Key| pending::<Result<(), BoxError>>());
    let monitor = Monitor::builder()
        .probes(probes.jitter(0.0))
        .combine(Combine::EitherEjects)
        .build();
    let mut events = monitor.subscribe();
    let mut service = monitor.layer("a").layer(Backend::new());

    pass(14 * SECOND).await;
    assert_ready_ok!(poll(&mut service));
    pass(2 * SECOND).await;

    assert_pending!(poll(&mut service));
    let event = events.next().await.unwrap();
    let Event::ProbeFailed { error, .. } = &event else {
        panic!("{event:?}");
    };
    assert!(matches!(**error, ProbeError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_panics_has_failed() {
    let probes = Probes::from_fn(|_: Key| async { panic!("as it has to") as Result<(), BoxError> });
    let monitor = Monitor::builder().probes(probes).build();
    let _layer = monitor.layer("a");

    pass(5 * SECOND).await;

    let backend = &monitor.snapshot().backends[0];
    assert_eq!(backend.probes_failed, 3);
    let error = backend.probe_error.as_deref();
    assert!(matches!(error, Some(ProbeError::Panicked)));
}

#[tokio::test(start_paused = true)]
async fn probes_go_round_the_gate_and_let_back_in() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let (mut service, _) = ejected(&monitor, "a").await;
    assert_pending!(poll(&mut service));

    pass(3 * SECOND).await;

    assert_ready_ok!(poll(&mut service));
    assert_eq!(monitor.state(&"a"), Some(State::Up));
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_not_restored_by_time_while_its_probes_fail() {
    let prober = Prober::failing();
    let monitor = probed(&prober).build();
    let (mut service, _) = ejected(&monitor, "a").await;

    pass(300 * SECOND).await;
    assert_pending!(poll(&mut service));
    assert!(is_ejected(&monitor, "a"));
    prober.fail(false);
    pass(32 * SECOND).await;

    assert_ready_ok!(poll(&mut service));
}

#[tokio::test(start_paused = true)]
async fn no_more_are_probed_at_once_than_may_be() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (count, peak) = (Arc::clone(&under_way), Arc::clone(&most));
    let probe = move |_: usize| {
        let (count, peak) = (Arc::clone(&count), Arc::clone(&peak));
        async move {
            peak.fetch_max(count.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(SECOND).await;
            count.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, BoxError>(())
        }
    };
    let probes = Probes::from_fn(probe).at_once(5);
    let monitor = Monitor::builder().probes(probes).build();
    let _layers: Vec<_> = (0..20).map(|key| monitor.layer(key)).collect();

    pass(5 * SECOND).await;

    assert_eq!(most.load(Ordering::Relaxed), 5);
    // Whose turn has not come comes before those who have been probed already.
    let backends = monitor.snapshot().backends;
    assert!(backends.iter().all(|backend| backend.probes_passed == 1));
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_probes() {
    let prober = Prober::default();
    let probes = Probes::from_fn(prober.probe()).jitter(0.5);
    let monitor = Monitor::builder().probes(probes).build();
    let _layer = monitor.layer("a");

    pass(1000 * SECOND).await;

    let made = prober.take();
    let waits: Vec<_> = made
        .windows(2)
        .skip(2)
        .map(|made| made[1] - made[0])
        .collect();
    let within = |wait: &Duration| *wait >= 15 * SECOND && *wait <= 46 * SECOND;
    assert!(waits.iter().all(within), "{waits:?}");
    let spread = *waits.iter().max().unwrap() - *waits.iter().min().unwrap();
    assert!(spread > 10 * SECOND, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_nobody_has_is_not_probed() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();

    let layer = monitor.layer("a");
    pass(10 * SECOND).await;
    assert_eq!(prober.take().len(), 3);
    let service = layer.layer(Backend::new());
    drop(layer);
    pass(40 * SECOND).await;
    assert_eq!(prober.take().len(), 1);
    drop(service);
    pass(1000 * SECOND).await;

    assert_eq!(prober.take(), []);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_does_not_keep_a_backend_probed() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let mut service = monitor.layer("a").layer(Backend::silent());
    let _call = tower::Service::call(service.ready().await.unwrap(), ());
    pass(10 * SECOND).await;
    prober.take();

    drop(service);
    pass(1000 * SECOND).await;

    assert_eq!(prober.take(), []);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_at_once_is_probed_anew() {
    let probe = |_: Hooked| async {
        tokio::time::sleep(SECOND).await;
        Ok::<_, BoxError>(())
    };
    let monitor = Monitor::builder()
        .probes(Probes::from_fn(probe).jitter(0.0))
        .build();
    let layer = monitor.layer(Hooked("a"));
    let _other = monitor.layer(Hooked("b"));
    let (kept, back) = std::sync::mpsc::channel();
    let again = monitor.clone();
    // Between the beginnings of two probes, the first of which is that of the one that goes.
    Hooked::hook(move || {
        drop(layer);
        kept.send(again.layer(Hooked("a"))).unwrap();
    });

    pass(10 * SECOND).await;

    let _layer = back.recv().unwrap();
    let backends = monitor.snapshot().backends;
    let passed = backends
        .iter()
        .map(|backend| (backend.key.0, backend.probes_passed >= 3));
    assert!(
        passed.clone().all(|(_, passed)| passed),
        "{:?}",
        passed.collect::<Vec<_>>()
    );
}

/// What a removed backend was made of, and whether that is gone.
#[tokio::test(start_paused = true)]
async fn a_probe_keeps_no_removed_backend_alive() {
    let held = Arc::new(());
    let hold = Arc::clone(&held);
    let probe = move |_: Arc<()>| {
        let hold = Arc::clone(&hold);
        async move {
            let _hold = hold;
            pending::<Result<(), BoxError>>().await
        }
    };
    let probes = Probes::from_fn(probe).timeout(1000 * SECOND);
    let monitor = Monitor::builder().probes(probes).build();
    let key = Arc::new(());
    let service = monitor.layer(Arc::clone(&key)).layer(Backend::new());
    pass(SECOND).await;
    // The test's own, the closure's, and that of the probe under way.
    assert_eq!(Arc::strong_count(&held), 3);

    assert!(monitor.remove(&key));
    settle().await;
    assert_eq!(Arc::strong_count(&held), 2);
    drop(service);
    pass(30 * SECOND).await;

    assert_eq!(Arc::strong_count(&key), 1);
}

#[tokio::test(start_paused = true)]
async fn a_removed_backend_is_probed_no_more_whoever_has_it() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let service = monitor.layer("a").layer(Backend::new());
    pass(10 * SECOND).await;
    prober.take();

    assert!(monitor.remove(&"a"));
    assert!(!monitor.remove(&"a"));
    assert!(!monitor.remove(&"b"));
    pass(1000 * SECOND).await;
    assert_eq!(prober.take(), []);

    let again = monitor.layer("a");
    drop(service);
    pass(10 * SECOND).await;
    assert_eq!(prober.take().len(), 3);
    drop(again);
}

/// An ejection is remembered, and with it the backend.
#[tokio::test(start_paused = true)]
async fn an_ejected_backend_that_is_removed_is_probed_no_more() {
    let prober = Prober::failing();
    let monitor = probed(&prober).build();
    let (service, _) = ejected(&monitor, "a").await;
    pass(10 * SECOND).await;
    assert_eq!(prober.take().len(), 3);

    assert!(monitor.remove(&"a"));
    pass(25 * SECOND).await;

    assert!(monitor.state(&"a").is_some(), "it is remembered");
    assert_eq!(prober.take(), []);
    drop(service);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_nobody_calls_is_probed_no_more_until_it_is_called() {
    let prober = Prober::default();
    let probes = exact(&prober).unused(Some(100 * SECOND));
    let monitor = Monitor::builder().probes(probes).build();
    let mut service = monitor.layer("a").layer(Backend::new());
    pass(1000 * SECOND).await;
    let made = prober.take();
    assert_eq!(made.last(), Some(&(92 * SECOND)));

    // It is noticed at the end of the interval.
    calls(&mut service, 1).await;
    pass(11 * SECOND).await;

    assert_eq!(prober.take().len(), 1);
    pass(30 * SECOND).await;
    assert_eq!(prober.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_down_waits_for_its_probes() {
    let prober = Prober::failing();
    let probes = exact(&prober).initial(Initial::Down);
    let monitor = Monitor::builder().probes(probes).build();
    let mut service = monitor.layer("a").layer(Backend::new());
    assert_pending!(poll(&mut service));
    assert_eq!(monitor.state(&"a"), Some(State::Unproven));
    pass(100 * SECOND).await;
    assert_pending!(poll(&mut service));

    prober.fail(false);
    service.ready().await.unwrap();

    assert!(prober.take().len() >= 5);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_is_one_probe() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let mut service = monitor.layer("a").layer(Backend::new());
    pass(10 * SECOND).await;
    calls(&mut service, 1).await;
    pass(10 * SECOND).await;
    prober.take();

    // The machine was suspended for nine minutes.
    tokio::time::advance(540 * SECOND).await;
    settle().await;
    assert_eq!(prober.take().len(), 1);
    pass(29 * SECOND).await;

    assert_eq!(prober.take(), []);
}

#[tokio::test(start_paused = true)]
async fn an_operator_stops_probes_by_maintenance() {
    let prober = Prober::default();
    let monitor = probed(&prober).build();
    let mut service = monitor.layer("a").layer(Backend::new());
    pass(10 * SECOND).await;
    prober.take();

    assert!(monitor.set_override(&"a", Override::Down));
    assert_pending!(poll(&mut service));
    pass(100 * SECOND).await;
    assert_eq!(prober.take(), []);
    assert!(monitor.set_override(&"a", None));

    assert_ready_ok!(poll(&mut service));
    pass(MOMENT).await;
    assert_eq!(prober.take().len(), 1);
    assert!(!monitor.set_override(&"b", Override::Down));
}

use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;
use tokio::time::{advance, sleep};
use tower::{Layer, Service, service_fn};
use wt_health::outlier::Outlier;
use wt_health::{Health, Monitor};

use crate::calls::Failed;
use crate::median;

const SECOND: Duration = Duration::from_secs(1);

type Answer = Ready<Result<(), Failed>>;

pub(crate) fn measure() -> Vec<String> {
    let sweep = paused().block_on(sweep(10_000));
    let wakeups = running().block_on(wakeups());
    let detection = running().block_on(detection());
    let false_ejections = paused().block_on(false_ejections());
    vec![
        format!("value sweep_10000_us {sweep:.0}"),
        format!("value wakeups_per_s_all_ejected {wakeups:.2}"),
        format!("value detection_calls_hard_down {detection}"),
        format!("value false_ejections_per_million_at_1pct_errors {false_ejections}"),
    ]
}

fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn running() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn answer(failed: bool) -> Answer {
    ready(if failed { Err(Failed) } else { Ok(()) })
}

/// Microseconds for the end of an interval in which each of so many backends was called, with all
/// that the task does then.
#[expect(
    clippy::disallowed_types,
    reason = "the clock that is measured by is not the one that is stopped"
)]
async fn sweep(backends: usize) -> f64 {
    let monitor = Monitor::new();
    let mut services: Vec<_> = (0..backends)
        .map(|key| monitor.layer(key).layer(service_fn(answer)))
        .collect();
    let mut figures = Vec::new();
    for _ in 0..15 {
        for service in &mut services {
            for call in 0..101 {
                let _ = service.call(call == 0).await;
            }
        }
        let began = std::time::Instant::now();
        advance(10 * SECOND).await;
        yield_now().await;
        figures.push(began.elapsed().as_nanos() as f64 / 1000.0);
        let backend = &monitor.snapshot().backends[0];
        assert_eq!(backend.successes, 100 * figures.len() as u64);
    }
    median(figures)
}

/// How often the whole process wakes in a second, while each of a hundred backends is ejected, and
/// ten tasks wait for it, whose calls could be overdue.
async fn wakeups() -> f64 {
    const SECONDS: u32 = 5;
    let outlier = Outlier::default().max_ejected(100);
    let builder = Monitor::builder().outlier(outlier);
    let monitor = builder.panic_threshold(None).build();
    let polls = Arc::new(AtomicU64::new(0));
    for key in 0..100 {
        let layer = monitor.layer(key).overdue(Some(SECOND));
        let mut service = layer.layer(service_fn(answer));
        for _ in 0..5 {
            let _ = service.call(true).await;
        }
        for _ in 0..10 {
            let (mut service, polls) = (service.clone(), Arc::clone(&polls));
            tokio::spawn(poll_fn(move |cx| {
                polls.fetch_add(1, Ordering::Relaxed);
                service.poll_ready(cx)
            }));
        }
    }
    sleep(SECOND).await;
    let parks = || Handle::current().metrics().worker_park_count(0);
    let (parks_before, polls_before) = (parks(), polls.load(Ordering::Relaxed));
    sleep(SECOND * SECONDS).await;
    let woken = parks() - parks_before + polls.load(Ordering::Relaxed) - polls_before;
    let ejected = monitor.snapshot().ejected;
    assert_eq!(ejected, 100);
    woken as f64 / f64::from(SECONDS)
}

/// How many calls a backend gets that fails all of them.
async fn detection() -> u32 {
    let monitor = Monitor::new();
    let _others: Vec<_> = (1..10).map(|key| monitor.layer(key)).collect();
    let mut service = monitor.layer(0).layer(service_fn(answer));
    let mut calls = 0;
    while service.is_open() {
        let _ = service.call(true).await;
        calls += 1;
    }
    calls
}

/// How many of ten backends are ejected in a million calls, a hundredth of which fails by chance;
/// the most of several rates of calls.
async fn false_ejections() -> u64 {
    let mut most = 0;
    for per_interval in [1_100, 2_000, 10_000, 100_000] {
        let monitor = Monitor::new();
        let mut services: Vec<Health<_>> = (0..10)
            .map(|key| monitor.layer(key).layer(service_fn(answer)))
            .collect();
        let mut rng = Rng::with_seed(7);
        for call in 0..1_000_000 {
            let service = &mut services[rng.usize(..10)];
            if service.is_open() {
                let _ = service.call(rng.u32(..100) == 0).await;
            }
            if call % per_interval == 0 {
                advance(10 * SECOND).await;
                yield_now().await;
            }
        }
        let backends = monitor.snapshot().backends;
        let ejections = backends.iter().map(|backend| backend.ejections);
        most = most.max(ejections.sum());
    }
    most
}

//! How soon a failing backend is found, and that others are not taken for one.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{Ready, ready};

use fastrand::Rng;
use tower::{Layer, Service, service_fn};
use wt_health::outlier::{Outlier, SuccessRate};
use wt_health::{Health, Monitor};

use common::{Backend, Failed, SECOND, calls, is_ejected, monitor, pass};

const BACKENDS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// How many ejections there are if each of so many calls fails by chance.
async fn ejections(outlier: Outlier, total: u32, per_interval: u32, errors: f64) -> u64 {
    let monitor = Monitor::builder().outlier(outlier).build();
    let mut rng = Rng::with_seed(7);
    let answer = |failed: bool| -> Ready<Result<(), Failed>> {
        ready(if failed { Err(Failed) } else { Ok(()) })
    };
    let mut services: Vec<Health<_>> = BACKENDS
        .iter()
        .map(|key| monitor.layer(*key).layer(service_fn(answer)))
        .collect();
    for call in 0..total {
        let service = &mut services[rng.usize(..BACKENDS.len())];
        if service.is_open() {
            let _ = service.call(rng.f64() < errors).await;
        }
        if call % per_interval == 0 {
            pass(10 * SECOND).await;
        }
    }
    let backends = monitor.snapshot().backends;
    backends.iter().map(|backend| backend.ejections).sum()
}

#[tokio::test(start_paused = true)]
async fn a_hundredth_of_errors_ejects_nobody_in_a_million_calls() {
    for per_interval in [1_100, 2_000, 10_000, 100_000] {
        let found = ejections(Outlier::default(), 1_000_000, per_interval, 0.01).await;

        assert_eq!(found, 0, "{per_interval}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_share_of_errors_all_have_ejects_nobody() {
    for errors in [0.001, 0.02, 0.05, 0.1] {
        let outlier = Outlier::default().consecutive(None);
        let found = ejections(outlier, 200_000, 2_000, errors).await;

        assert_eq!(found, 0, "{errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_the_arithmetic_of_a50_alone_chance_ejects() {
    let rate = SuccessRate::default().chance(None);
    let outlier = Outlier::default().success_rate(Some(rate));

    assert!(ejections(outlier, 1_000_000, 10_000, 0.01).await > 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_down_is_found_by_five_calls() {
    let monitor = monitor();
    let _others: Vec<_> = BACKENDS[1..]
        .iter()
        .map(|key| monitor.layer(*key))
        .collect();
    let backend = Backend::failing();
    let mut service = monitor.layer("a").layer(backend.clone());

    while service.is_open() {
        calls(&mut service, 1).await;
    }

    assert_eq!(backend.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_every_other_call_is_found_in_an_interval() {
    let monitor = monitor();
    let mut services: Vec<_> = BACKENDS
        .iter()
        .map(|key| {
            let mut count = 0;
            monitor.layer(*key).layer(service_fn(move |()| {
                count += usize::from(*key == "a");
                ready(if count % 2 == 1 { Err(Failed) } else { Ok(()) })
            }))
        })
        .collect();
    for service in &mut services {
        calls(service, 100).await;
    }

    pass(10 * SECOND).await;

    assert!(is_ejected(&monitor, "a"));
}

//! Servers are probed beside all calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Response;
use examples::BoxError;
use examples::stack::stack;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tower::timeout::TimeoutLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use wt_balance::BalanceLayer;
use wt_connection::{Limits, Session};
use wt_health::Monitor;
use wt_health::probe::Probes;
use wt_pool::PoolLayer;

use crate::fleet::{beside, eventually};
use crate::load::call;
use crate::local::Local;

#[tokio::test]
async fn probes_are_seldom_and_need_none_of_the_slots_which_are_all_lent_to_calls() {
    let _beside = beside().await;
    let local = Local::start(2, Limits::default().max_sessions(2));
    let keep = async |response: Response<Session>| Ok(response.into_body());
    let began = Instant::now();
    let stack = stack(local.connector(), local.targets.clone(), keep);
    let probed = || {
        let servers = stack.figures.monitor().snapshot().backends.into_iter();
        servers.map(|server| {
            let opened = local.opened(&server.key);
            let probes = (server.probes_passed, server.probes_failed);
            (server.key, (opened, probes))
        })
    };
    let mut calls = JoinSet::new();
    // Two servers with four connections of two sessions each.
    for _ in 0..16 {
        calls.spawn(call(stack.client.clone()));
    }
    let sessions = calls.join_all().await.into_iter().map(Result::unwrap);
    let sessions: Vec<Session> = sessions.collect();
    let slots = stack.figures.pool().total;

    let before: HashMap<_, _> = probed().collect();
    eventually("each is probed again", || {
        probed().all(|(server, (_, probes))| probes > before[&server].1)
    })
    .await;
    sleep(3 * SECOND).await;

    assert_eq!(stack.figures.pool().total, slots);
    assert_eq!(
        (slots.lent, slots.open, slots.waiting),
        (sessions.len(), 8, 0)
    );
    let after: Vec<_> = probed().collect();
    assert_eq!(after.len(), 2);
    for (server, (opened, (passed, failed))) in after {
        // What is opened for a call that is made again is opened before.
        let (opened_before, (passed_before, failed_before)) = before[&server];
        assert_eq!(failed, failed_before, "{server:?}");
        assert_eq!(opened - opened_before, passed - passed_before, "{server:?}");
        assert!(passed <= most(began.elapsed()), "{server:?}: {passed}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_server_is_probed_once_in_an_interval_however_many_calls_there_are() {
    let probed = Arc::<Mutex<HashMap<&str, u64>>>::default();
    let counted = Arc::clone(&probed);
    let probes = Probes::from_fn(move |server| {
        *counted.lock().unwrap().entry(server).or_default() += 1;
        async { Ok::<_, BoxError>(()) }
    });
    let monitor = Monitor::builder()
        .probes(probes.fast_interval(SECOND / 4))
        .build();
    let pool = PoolLayer::new(4).layer(service_fn(async |_server| {
        Ok::<_, BoxError>(service_fn(async |()| Ok::<_, BoxError>(())))
    }));
    let backend = move |server: &'static str| {
        ServiceBuilder::new()
            .layer(monitor.layer(server))
            .layer(TimeoutLayer::new(SECOND))
            .service(pool.service(server))
    };
    let client = BalanceLayer::new(["one", "two"]).layer(backend);

    let began = Instant::now();
    let mut pace = interval(SECOND / 20);
    while began.elapsed() < 600 * SECOND {
        pace.tick().await;
        client.clone().oneshot(()).await.unwrap();
    }

    let took = began.elapsed();
    assert_eq!(probed.lock().unwrap().len(), 2);
    for (server, probes) in &*probed.lock().unwrap() {
        let least = took.div_duration_f64(INTERVAL.mul_f64(1.0 + JITTER)) as u64;
        assert!((least..=most(took)).contains(probes), "{server}: {probes}");
    }
}

/// How many probes there may be of a server in so long: a few to begin with, then by the interval.
fn most(time: Duration) -> u64 {
    let by_interval = time.div_duration_f64(INTERVAL.mul_f64(1.0 - JITTER)) as u64;
    FIRST + by_interval + 1
}

/// How many probes are made soon: as many as it takes for a verdict.
const FIRST: u64 = 3;
/// What probes have by default.
const INTERVAL: Duration = Duration::from_secs(30);
const JITTER: f64 = 0.1;
const SECOND: Duration = Duration::from_secs(1);

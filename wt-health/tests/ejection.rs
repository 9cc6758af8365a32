//! Who is ejected, who is not, and how one comes back.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::load_shed::LoadShedLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_health::event::Reason;
use wt_health::outlier::Outlier;
use wt_health::snapshot::State;
use wt_health::{Monitor, Outcome};

use common::{
    Backend, Failed, Key, MOMENT, SECOND, calls, ejected, is_ejected, monitor, pass, poll, settle,
    strict,
};

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_eject() {
    let monitor = monitor();
    let backend = Backend::failing();
    let mut service = monitor.layer("a").layer(backend.clone());

    calls(&mut service, 4).await;
    assert_ready_ok!(poll(&mut service));
    calls(&mut service, 1).await;

    assert_pending!(poll(&mut service));
    assert_eq!(backend.calls(), 5);
    let Some(State::Ejected { reason, until, .. }) = monitor.state(&"a") else {
        panic!("it is ejected");
    };
    assert_eq!(
        (reason, until),
        (Reason::Consecutive, Instant::now() + 30 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_row() {
    let monitor = monitor();
    let backend = Backend::failing();
    let mut service = monitor.layer("a").layer(backend.clone());

    for _ in 0..10 {
        backend.fail(true);
        calls(&mut service, 4).await;
        backend.fail(false);
        calls(&mut service, 1).await;
    }

    assert_ready_ok!(poll(&mut service));
}

#[tokio::test(start_paused = true)]
async fn errors_pass_unchanged() {
    let monitor = monitor();
    let service = monitor.layer("a").layer(Backend::failing());

    assert_eq!(service.oneshot(()).await, Err(Failed));
}

#[tokio::test(start_paused = true)]
async fn after_its_time_one_call_proves_it_before_all_may_pass() {
    let monitor = monitor();
    let (mut first, backend) = ejected(&monitor, "a").await;
    let mut second = first.clone();
    backend.fail(false);
    let mut waiting = task::spawn(async move {
        second.ready().await.unwrap();
        second
    });
    assert_pending!(waiting.poll());

    pass(30 * SECOND - MOMENT).await;
    assert!(!waiting.is_woken());
    pass(2 * MOMENT).await;
    assert!(waiting.is_woken());
    assert_eq!(monitor.state(&"a"), Some(State::Proving));

    // The other one is faster.
    assert_ready_ok!(poll(&mut first));
    assert_pending!(waiting.poll());
    first.call(()).await.unwrap();

    assert!(waiting.is_woken());
    assert_eq!(monitor.state(&"a"), Some(State::Up));
    assert!(waiting.poll().is_ready());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_at_the_end_of_the_ejection_and_calls() {
    let monitor = monitor();
    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let began = Instant::now();

    service.ready().await.unwrap().call(()).await.unwrap();

    let waited = began.elapsed();
    assert!(waited >= 30 * SECOND && waited < 31 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_fails_ejects_for_longer() {
    let monitor = monitor();
    let (mut service, _backend) = ejected(&monitor, "a").await;
    pass(30 * SECOND).await;

    calls(&mut service, 1).await;

    let Some(State::Ejected { reason, until, .. }) = monitor.state(&"a") else {
        panic!("it is ejected");
    };
    assert_eq!(reason, Reason::Proof);
    assert_eq!((until - Instant::now()).as_secs(), 60);
    assert_pending!(poll(&mut service));
}

#[tokio::test(start_paused = true)]
async fn ejections_grow_to_the_longest_and_shrink_again() {
    let monitor = monitor();
    let (mut service, backend) = ejected(&monitor, "a").await;
    let began = Instant::now();
    let mut ends = Vec::new();
    for _ in 0..12 {
        service.ready().await.unwrap().call(()).await.unwrap_err();
        ends.push(began.elapsed().as_secs());
    }
    let lengths: Vec<_> = ends.windows(2).map(|ends| ends[1] - ends[0]).collect();
    assert_eq!(
        lengths,
        [60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]
    );

    backend.fail(false);
    service.ready().await.unwrap().call(()).await.unwrap();
    let multiplier = || monitor.snapshot().backends[0].multiplier;
    assert_eq!(multiplier(), 13);
    pass(10 * SECOND).await;
    assert_eq!(multiplier(), 13, "it was out for a part of that");
    pass(130 * SECOND).await;

    assert_eq!(multiplier(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_stays_with_the_key() {
    let monitor = monitor();
    let failing = || monitor.layer("a").layer(Backend::failing());
    for _ in 0..5 {
        // Each connection fails once, and is dropped.
        calls(&mut failing(), 1).await;
    }

    assert_pending!(poll(&mut failing()));
    assert!(is_ejected(&monitor, "a"));
    assert_ready_ok!(poll(&mut monitor.layer("b").layer(Backend::new())));
}

#[tokio::test(start_paused = true)]
async fn late_answers_from_before_an_ejection_do_not_count_after_it() {
    let monitor = strict().build();
    let backend = Backend::failing();
    let mut service = monitor.layer("a").layer(backend.clone());
    let mut under_way = Vec::new();
    for _ in 0..100 {
        under_way.push(service.ready().await.unwrap().call(()));
    }
    backend.fail(false);
    let success = service.ready().await.unwrap().call(());
    backend.fail(true);
    calls(&mut service, 5).await;
    assert!(is_ejected(&monitor, "a"));

    // A success from before does not end the ejection,
    success.await.unwrap();
    assert!(is_ejected(&monitor, "a"));
    // a failure from before is no proof,
    pass(30 * SECOND).await;
    for call in under_way.drain(..50) {
        call.await.unwrap_err();
    }
    assert_eq!(monitor.state(&"a"), Some(State::Proving));
    // and does not eject anew.
    backend.fail(false);
    calls(&mut service, 1).await;
    for call in under_way {
        call.await.unwrap_err();
    }

    assert_eq!(monitor.state(&"a"), Some(State::Up));
    let backend = &monitor.snapshot().backends[0];
    assert_eq!((backend.failures, backend.consecutive_failures), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_classifier_says_what_a_failure_is() {
    let monitor = strict().build();
    let classify = |result: Result<&u32, &Failed>| match result {
        Ok(500..) => Outcome::Failure,
        Ok(429) => Outcome::Ignore,
        Ok(_) | Err(_) => Outcome::Success,
    };
    let layer = monitor.layer("a").classify(classify);
    let mut service = layer.layer(service_fn(|status: u32| async move {
        if status == 0 { Err(Failed) } else { Ok(status) }
    }));

    for status in [0, 404, 0, 0, 0, 0, 429, 429, 429, 429, 429, 429] {
        let _ = service.ready().await.unwrap().call(status).await;
    }
    assert_eq!(monitor.state(&"a"), Some(State::Up));
    for _ in 0..5 {
        let _ = service.ready().await.unwrap().call(503).await;
    }

    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_local_limit_ejects_nobody() {
    let monitor = monitor();
    let mut service = ServiceBuilder::new()
        .layer(monitor.layer("a"))
        .layer(LoadShedLayer::new())
        .concurrency_limit(1)
        .service(Backend::silent());
    let _busy = service.ready().await.unwrap().call(());

    for _ in 0..100 {
        let shed = service.ready().await.unwrap().call(()).await;
        assert!(
            shed.unwrap_err()
                .is::<tower::load_shed::error::Overloaded>()
        );
    }

    assert_ready_ok!(poll(&mut service));
}

#[tokio::test(start_paused = true)]
async fn readiness_that_fails_is_a_failure() {
    let monitor = monitor();
    for _ in 0..5 {
        let (inner, mut handle) = tower_test::mock::pair::<(), ()>();
        handle.send_error("gone");
        let mut service = monitor.layer("a").layer(inner);
        let error: BoxError = service.ready().await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "gone");
    }

    assert!(is_ejected(&monitor, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_ejects_at_the_end_of_the_interval() {
    let monitor = strict().build();
    let mut services = Vec::new();
    for key in ["a", "b", "c", "d", "e"] {
        let fail = key == "a";
        let mut count = 0;
        services.push(monitor.layer(key).layer(service_fn(move |()| {
            count += 1;
            let failed = fail && count % 2 == 0;
            std::future::ready(if failed { Err(Failed) } else { Ok(()) })
        })));
    }
    for service in &mut services {
        calls(service, 200).await;
    }

    pass(10 * SECOND - MOMENT).await;
    assert!(!is_ejected(&monitor, "a"));
    pass(2 * MOMENT).await;

    let Some(State::Ejected { reason, .. }) = monitor.state(&"a") else {
        panic!("it is ejected");
    };
    assert_eq!(reason, Reason::SuccessRate);
    assert_eq!(monitor.snapshot().ejected, 1);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_is_one_interval() {
    let monitor = monitor();
    let (mut service, backend) = ejected(&monitor, "a").await;
    for _ in 0..4 {
        service.ready().await.unwrap().call(()).await.unwrap_err();
    }
    backend.fail(false);
    service.ready().await.unwrap().call(()).await.unwrap();
    let multiplier = || monitor.snapshot().backends[0].multiplier;
    pass(10 * SECOND).await;
    let before = multiplier();
    assert_eq!(before, 5);

    // The machine was suspended for an hour.
    tokio::time::advance(3600 * SECOND).await;
    settle().await;

    assert_eq!(multiplier(), before - 1);
    pass(10 * SECOND).await;
    assert_eq!(multiplier(), before - 2);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_nobody_asks_to_prove_makes_room_for_others() {
    let monitor = monitor();
    let (_unasked, _backend) = ejected(&monitor, "a").await;
    let mut other = monitor.layer("b").layer(Backend::failing());
    calls(&mut other, 10).await;
    assert!(!is_ejected(&monitor, "b"));

    pass(50 * SECOND).await;
    assert_eq!(monitor.state(&"a"), Some(State::Up));
    calls(&mut other, 5).await;

    assert!(is_ejected(&monitor, "b"));
}

#[tokio::test(start_paused = true)]
async fn who_might_prove_a_backend_and_does_not_makes_room_for_others() {
    let monitor = monitor();
    let (mut idle, _backend) = ejected(&monitor, "a").await;
    let mut waiting = idle.clone();
    let mut other = monitor.layer("b").layer(Backend::failing());
    calls(&mut other, 4).await;
    pass(30 * SECOND).await;

    // They are ready, or ask to be, again and again, and call as often as a balancer pleases.
    for _ in 0..9 {
        let _ = (poll(&mut idle), poll(&mut waiting));
        pass(SECOND).await;
    }
    assert_eq!(monitor.state(&"a"), Some(State::Proving));
    pass(2 * SECOND).await;

    assert_eq!(monitor.state(&"a"), Some(State::Up));
    assert_ready_ok!(poll(&mut waiting));
    calls(&mut other, 1).await;
    assert!(is_ejected(&monitor, "b"));
}

#[tokio::test(start_paused = true)]
async fn a_backend_stays_as_it_is_while_a_call_proves_it() {
    let monitor = monitor();
    let (service, _backend) = ejected(&monitor, "a").await;
    drop(service);
    let mut service = monitor.layer("a").layer(Backend::silent());
    pass(30 * SECOND).await;

    let call = service.ready().await.unwrap().call(());
    pass(25 * SECOND).await;
    assert_eq!(monitor.state(&"a"), Some(State::Proving));
    drop(call);
    pass(9 * SECOND).await;
    assert_eq!(monitor.state(&"a"), Some(State::Proving));
    pass(7 * SECOND).await;

    assert_eq!(monitor.state(&"a"), Some(State::Up));
}

#[tokio::test(start_paused = true)]
async fn ejections_may_be_short() {
    let outlier = Outlier::default().base_ejection(50 * MOMENT);
    let monitor: Monitor<Key> = Monitor::builder().outlier(outlier).build();
    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let began = Instant::now();

    service.ready().await.unwrap().call(()).await.unwrap();

    assert!(began.elapsed() <= 52 * MOMENT, "{:?}", began.elapsed());
}

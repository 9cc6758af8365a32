//! What calls allocate.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_retry::backoff::Exponential;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy, Verdict};

/// How often a thousand calls allocate that fail `failures` times each, as `verdict` says.
fn allocated(failures: u32, verdict: Verdict) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut left = failures;
    let service = service_fn(move |request: u32| {
        let fails = left > 0;
        left = if fails { left - 1 } else { failures };
        ready(if fails { Err(()) } else { Ok(request) })
    });
    let classify = move |_: &u32, result: Result<&u32, &()>| match result {
        Ok(_) => Verdict::Return,
        Err(()) => verdict,
    };
    let policy = StandardPolicy::new(classify, Exponential::default());
    let mut retry = RetryLayer::new(policy).observer(|_, _| ()).layer(service);
    let mut call = async |request| retry.ready().await.unwrap().call(request).await;
    runtime.block_on(async {
        // Not counted: what is set up once.
        let _ = call(0).await;
        let mut calls = pin!(async {
            for request in 0..1000 {
                let _ = call(request).await;
            }
        });
        let mut count = 0;
        poll_fn(|cx| {
            let mut polled = Poll::Pending;
            count += measure(|| polled = calls.as_mut().poll(cx)).count_total;
            polled
        })
        .await;
        count
    })
}

#[test]
fn a_call_that_succeeds_allocates_nothing() {
    assert_eq!(allocated(0, Verdict::Return), 0);
}

#[test]
fn a_call_that_fails_for_good_allocates_nothing() {
    assert_eq!(allocated(1, Verdict::Return), 0);
}

#[test]
fn a_retry_that_does_not_sleep_allocates_nothing() {
    assert_eq!(allocated(1, Verdict::RetryUnsent), 0);
}

#[test]
fn a_deadline_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let service = service_fn(|request: u32| ready(Ok::<_, tower::BoxError>(request)));
    let mut service = DeadlineLayer::new(Duration::from_secs(1)).layer(service);

    let info = runtime.block_on(async {
        measure(|| {
            let mut call = pin!(service.call(1));
            assert!(
                call.as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
            );
        })
    });

    assert_eq!(info.count_total, 0);
}

//! What calls allocate.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_balance::{
    Adaptive, BalanceLayer, LeastLatency, LeastRequests, PickFirst, Policy, Random, Ring,
    RoundRobin, Weighted,
};

/// How often a thousand calls allocate, of which each third fails, if any.
fn allocated<P: Policy<u32> + Clone>(policy: P, backends: u32, fail: bool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let maker = move |target: u32| {
        service_fn(move |request: u32| {
            let fails = fail && (request + target).is_multiple_of(3);
            ready(if fails {
                Err(std::fmt::Error)
            } else {
                Ok(request)
            })
        })
    };
    let mut balance = BalanceLayer::new(0..backends).policy(policy).layer(maker);
    let mut calls = async |n| {
        for request in 0..n {
            let _ = balance
                .ready()
                .await
                .unwrap()
                .call(request)
                .await
                .map_err(drop);
        }
    };
    runtime.block_on(async {
        // Not counted: what is set up once.
        calls(100).await;
        let mut calls = pin!(calls(1000));
        let info = measure(|| {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(calls.as_mut().poll(&mut cx), Poll::Ready(())));
        });
        info.count_total
    })
}

#[test]
fn a_call_allocates_nothing_under_any_policy() {
    for backends in [10, 64, 100] {
        assert_eq!(allocated(Adaptive::new(), backends, false), 0);
        assert_eq!(allocated(LeastRequests::default(), backends, false), 0);
        assert_eq!(allocated(RoundRobin::new(), backends, false), 0);
        assert_eq!(allocated(Weighted::new(), backends, false), 0);
        assert_eq!(allocated(LeastLatency::default(), backends, false), 0);
        assert_eq!(
            allocated(Ring::new(|request: &u32| *request), backends, false),
            0
        );
        assert_eq!(allocated(PickFirst::default(), backends, false), 0);
        assert_eq!(allocated(Random::default(), backends, false), 0);
    }
}

/// But for the box of a `BoxError`, which is none for an error without a size.
#[test]
fn a_call_that_fails_allocates_nothing_either() {
    assert_eq!(allocated(Adaptive::new(), 64, true), 0);
}

#[test]
fn a_clone_allocates_nothing() {
    let maker = |_| service_fn(|request: u32| ready(Ok::<_, std::fmt::Error>(request)));
    let balance = BalanceLayer::new(0..10).layer(maker);

    let info = measure(|| drop(balance.clone()));

    assert_eq!(info.count_total, 0);
}

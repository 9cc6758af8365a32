//! What calls allocate.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use allocation_counter::measure;
use tower::{Layer, Service, service_fn};
use wt_health::{Health, HealthLayer, Monitor};

type Answer = Ready<Result<u32, &'static str>>;

/// How often a thousand calls allocate, one of ten of which fails.
fn allocated<S>(mut service: Health<S>, clone: bool) -> u64
where
    S: Service<u32, Response = u32, Error = &'static str, Future = Answer> + Clone,
{
    let mut context = Context::from_waker(Waker::noop());
    let mut calls = || {
        for request in 0..1000 {
            let mut other = clone.then(|| service.clone());
            let service = other.as_mut().unwrap_or(&mut service);
            assert!(service.poll_ready(&mut context).is_ready());
            let call = pin!(service.call(request));
            assert!(call.poll(&mut context).is_ready());
        }
    };
    // Not counted: what is set up once.
    calls();
    measure(calls).count_total
}

async fn measured(set: impl Fn(HealthLayer) -> HealthLayer, clone: bool) -> u64 {
    let monitor = Monitor::new();
    let answer = |request| -> Answer {
        ready(if request % 10 == 0 {
            Err("no")
        } else {
            Ok(request)
        })
    };
    let service = set(monitor.layer("a")).layer(service_fn(answer));
    allocated(service, clone)
}

#[tokio::test]
async fn calls_allocate_nothing() {
    assert_eq!(measured(|layer| layer, false).await, 0);
}

#[tokio::test]
async fn calls_of_clones_allocate_nothing() {
    assert_eq!(measured(|layer| layer, true).await, 0);
}

#[tokio::test]
async fn calls_that_may_be_overdue_allocate_nothing() {
    let second = Some(Duration::from_secs(1));

    assert_eq!(measured(|layer| layer.overdue(second), false).await, 0);
}

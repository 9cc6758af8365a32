//! That calls which failed together do not come back together.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::ready;
use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_retry::backoff::{Backoff, Exponential, Jitter};
use wt_retry::{RetryLayer, StandardPolicy, Verdict};

/// The first delays of calls that one service makes, each by a policy cloned for it.
async fn first_delays(backoff: Exponential, calls: usize) -> Vec<Duration> {
    let classify = |_: &Instant, result: Result<&Duration, &()>| match result {
        Ok(_) => Verdict::Return,
        Err(()) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, backoff)
        .budget(wt_retry::budget::RatioBudget::default().burst(u32::MAX));
    // Fails at once, and then says how long ago that was.
    let service = service_fn(|began: Instant| {
        let waited = began.elapsed();
        ready(if waited.is_zero() {
            Err(())
        } else {
            Ok(waited)
        })
    });
    let mut retry = RetryLayer::new(policy).layer(service);
    let mut delays = Vec::new();
    for _ in 0..calls {
        delays.push(
            retry
                .ready()
                .await
                .unwrap()
                .call(Instant::now())
                .await
                .unwrap(),
        );
    }
    delays
}

#[tokio::test(start_paused = true)]
async fn each_call_waits_differently() {
    // tower's maker clones its generator, so that all calls wait alike.
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated] {
        let backoff = Exponential::default()
            .base(Duration::from_secs(1000))
            .cap(Duration::MAX);
        let mut delays = first_delays(backoff.jitter(jitter), 100).await;

        delays.sort();
        delays.dedup();
        assert!(
            delays.len() > 90,
            "{jitter:?}: {} delays of 100",
            delays.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_with_a_seed_wait_differently_too() {
    let backoff = || {
        Exponential::default()
            .base(Duration::from_secs(1000))
            .cap(Duration::MAX)
    };

    let mut delays = first_delays(backoff().seed(1), 100).await;

    let again = first_delays(backoff().seed(1), 100).await;
    assert_eq!(delays, again);
    delays.sort();
    delays.dedup();
    assert!(delays.len() > 90, "{} delays of 100", delays.len());
}

#[test]
fn a_thousand_calls_fill_the_whole_delay() {
    // Ten milliseconds of a second have ten calls of a thousand on average, and should not have
    // three times as many.
    let backoff = Exponential::default().seed(11);
    let mut bins = [0; 100];

    for _ in 0..1000 {
        let delay = backoff.delays().next().unwrap();
        bins[delay.as_millis() as usize / 10] += 1;
    }

    assert!(bins.iter().all(|calls| *calls <= 30), "{bins:?}");
}

//! Who makes the call that proves a backend, and who makes it if he does not.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_test::{assert_pending, assert_ready_ok};
use tower::{Layer, Service, ServiceExt};
use wt_health::snapshot::State;

use common::{
    Backend, Count, MOMENT, SECOND, ejected, monitor, pass, poll, poll_ready, settle, strict,
};

/// Each clone of it takes so long to be ready for a call.
#[derive(Debug)]
struct Slow {
    readiness: Duration,
    ready: Option<Pin<Box<Sleep>>>,
    calls: Arc<AtomicUsize>,
}

impl Slow {
    fn new(readiness: Duration) -> Self {
        Self {
            readiness,
            ready: None,
            calls: Arc::default(),
        }
    }
}

impl Clone for Slow {
    fn clone(&self) -> Self {
        Self {
            readiness: self.readiness,
            ready: None,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl Service<()> for Slow {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        let readiness = self.readiness;
        let ready = self.ready.get_or_insert_with(|| Box::pin(sleep(readiness)));
        ready.as_mut().poll(cx).map(Ok)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.ready = None;
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_proof_are_woken_one_by_one() {
    let monitor = strict().build();
    let mut all = Vec::new();
    for key in ["a", "b", "c", "d"] {
        let (service, _) = ejected(&monitor, key).await;
        for _ in 0..100 {
            let (count, waker) = Count::waker();
            let mut service = service.clone();
            assert_pending!(poll_ready(&mut service, &waker));
            all.push((service, count, waker));
        }
    }
    let woken = |all: &Vec<(_, Arc<Count>, _)>| -> usize {
        all.iter().map(|(_, count, _)| count.get()).sum()
    };
    pass(29 * SECOND).await;
    assert_eq!(woken(&all), 0);

    // Each who is woken asks again; none of them makes the proving call.
    for _ in 0..100 {
        pass(SECOND / 10).await;
        for (service, _, waker) in &mut all {
            let _ = poll_ready(service, waker);
        }
    }

    // For each backend one at first, and one each second, however many wait.
    let woken = woken(&all);
    assert!((4..=4 * 10).contains(&woken), "{woken}");
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_ready_gives_the_proving_call_back() {
    let monitor = monitor();
    let (mut first, backend) = ejected(&monitor, "a").await;
    let mut second = first.clone();
    backend.fail(false);
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut first));
    assert_ready_ok!(poll(&mut first));
    let (count, waker) = Count::waker();
    assert_pending!(poll_ready(&mut second, &waker));

    drop(first);

    assert_eq!(count.get(), 1);
    assert_ready_ok!(poll(&mut second));
}

#[tokio::test(start_paused = true)]
async fn a_proving_call_that_is_given_up_goes_to_the_next() {
    let monitor = monitor();
    let (mut first, backend) = ejected(&monitor, "a").await;
    let mut second = first.clone();
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut first));
    let call = first.call(());
    let (count, waker) = Count::waker();
    assert_pending!(poll_ready(&mut second, &waker));
    backend.fail(false);

    drop(call);

    assert_eq!(count.get(), 1);
    assert_ready_ok!(poll(&mut second));
    second.call(()).await.unwrap();
    assert_eq!(monitor.state(&"a"), Some(State::Up));
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_never_makes_the_proving_call_keeps_nobody_out() {
    let monitor = monitor();
    let (mut idle, backend) = ejected(&monitor, "a").await;
    let mut other = idle.clone();
    backend.fail(false);
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut idle));
    let began = Instant::now();

    let proving = async { other.ready().await.unwrap().call(()).await };
    timeout(100 * SECOND, proving).await.unwrap().unwrap();

    assert!(began.elapsed() <= SECOND + 2 * MOMENT);
    assert_eq!(monitor.state(&"a"), Some(State::Up));
    // It has lost nothing by it.
    assert_ready_ok!(poll(&mut idle));
    idle.call(()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_service_below_keeps_the_proving_call() {
    let monitor = monitor();
    let (failed, _backend) = ejected(&monitor, "a").await;
    let slow = Slow::new(3 * SECOND / 2);
    let service = monitor.layer("a").layer(slow.clone());
    drop(failed);
    let began = Instant::now();
    let mut clones = JoinSet::new();
    for _ in 0..10 {
        let mut service = service.clone();
        clones.spawn(async move {
            service.ready().await.unwrap().call(()).await.unwrap();
        });
    }

    clones.join_next().await.unwrap().unwrap();
    assert_eq!(slow.calls.load(Ordering::Relaxed), 1, "one proves it");
    let proved = began.elapsed();
    assert!(proved < 63 * SECOND / 2 + SECOND / 10, "{proved:?}");
    while let Some(ended) = clones.join_next().await {
        ended.unwrap();
    }

    assert!(began.elapsed() <= 34 * SECOND, "{:?}", began.elapsed());
    assert_eq!(monitor.state(&"a"), Some(State::Up));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_service_below_for_ever_keeps_nobody_out() {
    let monitor = monitor();
    let (failed, backend) = ejected(&monitor, "a").await;
    let mut never = monitor.layer("a").layer(Slow::new(1000 * SECOND));
    let mut other = failed;
    backend.fail(false);
    pass(30 * SECOND).await;
    let began = Instant::now();
    assert_pending!(poll(&mut never));
    assert_pending!(poll(&mut other));

    other.ready().await.unwrap().call(()).await.unwrap();

    let waited = began.elapsed();
    assert!(waited <= 31 * SECOND, "{waited:?}");
    assert_eq!(monitor.state(&"a"), Some(State::Up));
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_proving_call_has_his_place_among_those_who_wait() {
    let monitor = monitor();
    let (mut first, _backend) = ejected(&monitor, "a").await;
    let mut others = [first.clone(), first.clone(), first.clone()];
    let counts: [_; 4] = std::array::from_fn(|_| Count::waker());
    assert_pending!(poll_ready(&mut first, &counts[0].1));
    for (service, (_, waker)) in others.iter_mut().zip(&counts[1..]) {
        assert_pending!(poll_ready(service, waker));
    }
    pass(30 * SECOND).await;
    assert_ready_ok!(poll_ready(&mut first, &counts[0].1));
    pass(SECOND).await;
    // It does not call, so that the next one may.
    assert_ready_ok!(poll_ready(&mut others[0], &counts[1].1));
    assert_pending!(poll_ready(&mut first, &counts[0].1));
    let woken = || counts.each_ref().map(|(count, _)| count.get());
    assert_eq!(woken(), [1, 1, 0, 0]);

    let [second, ..] = others;
    drop(second);

    assert_eq!(woken(), [2, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_the_proving_call_may_make_it_nevertheless() {
    let monitor = monitor();
    let (mut late, backend) = ejected(&monitor, "a").await;
    let mut other = late.clone();
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut late));
    pass(SECOND).await;
    assert_ready_ok!(poll(&mut other));
    assert_pending!(poll(&mut late.clone()));
    backend.fail(false);

    // It was told that it is ready.
    late.call(()).await.unwrap();

    assert_eq!(monitor.state(&"a"), Some(State::Up));
    other.call(()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_proving_call_that_is_never_answered_keeps_nobody_out() {
    let monitor = monitor();
    let (mut first, _) = ejected(&monitor, "a").await;
    drop(first);
    let silent = Backend::silent();
    first = monitor.layer("a").layer(silent.clone());
    let mut second = first.clone();
    pass(30 * SECOND).await;
    let _hanging = first.ready().await.unwrap().call(());
    silent.answer();
    let began = Instant::now();

    second.ready().await.unwrap().call(()).await.unwrap();

    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_woken_when_it_is_proved() {
    let monitor = monitor();
    let (mut first, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    let mut others: Vec<_> = (0..10)
        .map(|_| {
            let (count, waker) = Count::waker();
            let mut service = first.clone();
            assert_pending!(poll_ready(&mut service, &waker));
            (service, count)
        })
        .collect();
    pass(30 * SECOND).await;
    assert_ready_ok!(poll(&mut first));

    first.call(()).await.unwrap();

    settle().await;
    for (service, count) in &mut others {
        assert_eq!(count.get(), 1);
        assert_ready_ok!(poll(service));
    }
}

//! Services that are not `Clone`.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::{assert_request_eq, mock};
use wt_balance::{BalanceLayer, Exclusive};

type Mocked = Exclusive<mock::Mock<u32, u32>>;

fn poll_ready<S: Service<u32> + Unpin>(service: &mut task::Spawn<S>) -> Poll<Result<(), S::Error>> {
    service.enter(|cx, service| service.get_mut().poll_ready(cx))
}

#[tokio::test]
async fn clones_take_turns() {
    let (mock, mut handle) = mock::pair();
    let exclusive: Mocked = Exclusive::new(mock);
    let mut one = task::spawn(exclusive.clone());
    let mut two = task::spawn(exclusive);
    assert_ready_ok!(poll_ready(&mut one));
    assert_pending!(poll_ready(&mut two));

    let first = one.call(1);
    assert!(two.is_woken());
    assert_ready_ok!(poll_ready(&mut two));
    let second = two.call(2);

    assert_request_eq!(handle, 1).send_response(10);
    assert_request_eq!(handle, 2).send_response(20);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (10, 20));
}

#[tokio::test]
async fn one_that_is_dropped_gives_up_its_turn() {
    let (mock, _handle) = mock::pair();
    let exclusive: Mocked = Exclusive::new(mock);
    let mut one = task::spawn(exclusive.clone());
    let mut two = task::spawn(exclusive);
    assert_ready_ok!(poll_ready(&mut one));
    assert_pending!(poll_ready(&mut two));

    drop(one);

    assert!(two.is_woken());
    assert_ready_ok!(poll_ready(&mut two));
}

#[tokio::test]
async fn the_service_is_asked_by_whose_turn_it_is() {
    let (mock, mut handle) = mock::pair();
    handle.allow(0);
    let exclusive: Mocked = Exclusive::new(mock);
    let mut one = task::spawn(exclusive);
    assert_pending!(poll_ready(&mut one));

    handle.allow(1);

    assert!(one.is_woken());
    assert_ready_ok!(poll_ready(&mut one));
}

#[tokio::test]
async fn a_service_that_panics_is_back_after_its_turn() {
    struct Panics(Arc<AtomicBool>);
    impl Service<u32> for Panics {
        type Response = u32;
        type Error = Infallible;
        type Future = std::future::Ready<Result<u32, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: u32) -> Self::Future {
            assert!(!self.0.swap(false, Ordering::SeqCst), "a panic on purpose");
            std::future::ready(Ok(request))
        }
    }
    let mut exclusive = Exclusive::new(Panics(Arc::new(AtomicBool::new(true))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(exclusive.poll_ready(&mut cx).is_ready());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| exclusive.call(1)));
    assert!(panicked.is_err());

    assert_eq!(exclusive.clone().oneshot(7).await.unwrap(), 7);
}

#[tokio::test]
async fn balancers_stand_on_services_that_are_not_clone() {
    let maker = |target: &'static str| {
        let mut calls = Box::new(0..);
        Exclusive::new(service_fn(move |_: u32| {
            std::future::ready(Ok::<_, Infallible>((target, calls.next().unwrap())))
        }))
    };
    let layer = BalanceLayer::new(["a", "b"]).policy(wt_balance::RoundRobin::new());
    let mut balance = layer.layer(maker);

    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(balance.ready().await.unwrap().call(0).await.unwrap());
    }

    assert_eq!(answers, [("a", 0), ("b", 0), ("a", 1), ("b", 1)]);
}

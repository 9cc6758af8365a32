//! What the public types promise: threads, clones, futures that may be spawned, errors.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use common::{Act, Backend, Failed, Key, World, ask};
use tower::load::CompleteOnResponse;
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_balance::{
    Adaptive, BackendSnapshot, Balance, BalanceLayer, ByError, Exclusive, Figures, InFlight,
    LeastLatency, LeastRequests, NoTargets, Outcome, Pick, PickFirst, Random, ResponseFuture, Ring,
    RoundRobin, Snapshot, Targets, Unavailable, Untold, Weighted,
};

/// `Send` and `Clone`, and no more.
#[derive(Clone)]
struct NotSync(Cell<u32>);

impl Service<u32> for NotSync {
    type Response = u32;
    type Error = Infallible;
    type Future = Ready<Result<u32, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        ready(Ok(request + self.0.get()))
    }
}

#[test]
fn handles_may_be_shared_and_cloned() {
    fn handle<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

    handle::<(Balance<Key, Backend>, Balance<Key, NotSync>)>();
    handle::<(BalanceLayer<Key>, Targets<Key>, Figures<Key>)>();
    handle::<(Exclusive<Backend>, Exclusive<NotSync>)>();
    handle::<(Adaptive, LeastRequests, RoundRobin, Weighted)>();
    handle::<(LeastLatency, Ring<fn(&u32) -> u32, u32>, PickFirst, Random)>();
    handle::<(ByError, Untold, Outcome, Pick)>();
    handle::<(Unavailable, NoTargets, Snapshot<Key>, BackendSnapshot<Key>)>();
}

#[test]
fn futures_may_be_spawned() {
    fn spawned<T: Send + Debug + 'static>() {}

    type Future<S> = ResponseFuture<Key, S, u32, Adaptive, ByError, CompleteOnResponse, Untold>;
    spawned::<(Future<Backend>, Future<NotSync>, InFlight)>();
}

#[tokio::test]
async fn a_service_that_is_not_sync_is_balanced_by_what_is() {
    let balance = BalanceLayer::new(["a"]).layer(|_| NotSync(Cell::new(1)));
    let shared = std::sync::Arc::new(balance);

    let task = tokio::spawn(async move { Balance::clone(&shared).oneshot(41).await });

    assert_eq!(task.await.unwrap().unwrap(), 42);
}

#[tokio::test]
async fn a_backend_s_error_passes_unchanged() {
    let world = World::default();
    world.act("a", Act::Fail);

    let error = ask(&mut world.balance(["a"])).await.unwrap_err();

    assert_eq!(error.downcast_ref(), Some(&Failed("a")));
}

#[tokio::test]
async fn layers_above_and_below_may_box_errors() {
    let maker = |_: Key| {
        let service = tower::service_fn(|n: u32| ready(Ok::<_, BoxError>(n)));
        tower::timeout::Timeout::new(service, common::SECOND)
    };
    let client = tower::ServiceBuilder::new()
        .timeout(common::SECOND)
        .layer(BalanceLayer::new(["a", "b"]))
        .service(maker);

    assert_eq!(client.oneshot(7).await.unwrap(), 7);
}

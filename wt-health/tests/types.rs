//! What the public types promise: threads, clones, futures that may be spawned.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use common::{Backend, Failed, Key};
use tower::discover::Discover;
use tower::load::{CompleteOnResponse, PendingRequests};
use tower::{Layer, Service};
use wt_health::event::{Event, Events, Reason};
use wt_health::outlier::{FailurePercentage, Outlier, SuccessRate};
use wt_health::probe::{ConnectAll, ConnectError, Initial, ProbeError, Probes, TcpConnect};
use wt_health::snapshot::{BackendSnapshot, Snapshot, State};
use wt_health::{
    ByError, Combine, Ended, Health, HealthDiscover, HealthLayer, Monitor, MonitorBuilder, Outcome,
    Override, ResponseFuture, Watch,
};

#[test]
fn handles_may_be_shared_and_cloned() {
    fn handle<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

    handle::<(Monitor<Key>, HealthLayer, Health<Backend>, Probes<Key>)>();
    handle::<(Outlier, SuccessRate, FailurePercentage, TcpConnect)>();
    handle::<(Combine, Override, Outcome, ByError, Initial)>();
    handle::<(Event<Key>, Reason, Ended)>();
    handle::<(Snapshot<Key>, BackendSnapshot<Key>, State)>();
}

#[test]
fn others_may_be_moved_and_shared() {
    fn moved<T: Send + Debug + 'static>() {}
    fn shared<T: Send + Sync + Debug + 'static>() {}

    moved::<(Watch, Events<Key>, ConnectAll<SocketAddr>)>();
    shared::<(MonitorBuilder<Key>, ProbeError, ConnectError)>();
}

#[test]
fn futures_go_where_their_parts_go() {
    fn spawned<T: Send + Sync + Unpin + Debug + 'static>() {}

    spawned::<ResponseFuture<Ready<Result<(), Failed>>>>();
}

#[tokio::test(start_paused = true)]
async fn services_need_be_neither_clonable_nor_shared() {
    struct Single(Cell<u32>);

    impl Service<u32> for Single {
        type Response = u32;
        type Error = Infallible;
        type Future = Ready<Result<u32, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, add: u32) -> Self::Future {
            self.0.set(self.0.get() + add);
            ready(Ok(self.0.get()))
        }
    }

    let monitor = Monitor::new();
    let mut service = monitor.layer("a").layer(Single(Cell::new(1)));

    assert_eq!(service.call(2).await, Ok(3));
    assert_eq!(service.get_mut().0.get(), 3);
    assert_eq!(service.get_ref().0.get(), 3);
    assert_eq!(service.into_inner().0.get(), 3);
}

#[test]
fn what_is_discovered_is_a_discover() {
    fn discover<D: Discover<Key = Key, Service = Health<Backend>> + Send + Unpin>() {}

    type Changes = tower::discover::ServiceList<Vec<Backend>>;
    discover::<HealthDiscover<Keyed>>();
    fn other<D: Discover<Key = usize>>() {}
    other::<HealthDiscover<Changes>>();
}

type Item = Result<tower::discover::Change<Key, Backend>, Infallible>;

struct Keyed;

impl futures_core::Stream for Keyed {
    type Item = Item;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Pending
    }
}

#[test]
fn a_load_below_is_that_of_the_whole() {
    fn load<S: tower::load::Load<Metric = tower::load::pending_requests::Count>>() {}

    load::<Health<PendingRequests<Backend, CompleteOnResponse>>>();
}

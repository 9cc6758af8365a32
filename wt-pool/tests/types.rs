//! What the public types promise: threads, clones, futures that may be spawned.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use common::{Ask, Connection, Maker, Target};
use tower::{MakeService, Service};
use wt_pool::{
    Answer, Checkout, ClosedStats, Idle, IdleFuture, IdleHandle, IdleLayer, InFlight, Pool,
    PoolError, PoolLayer, PoolService, PoolStats, Pooled, ResponseFuture, TargetStats, WarmAll,
};

type NotSyncPool = Pool<NotSyncMaker, Target, ()>;

#[test]
fn handles_may_be_shared_and_cloned() {
    fn handle<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

    handle::<(PoolLayer<Target, Ask, Connection>, Pool<Maker, Target, Ask>)>();
    handle::<PoolService<Maker, Target, Ask>>();
    handle::<(IdleLayer, Idle<Connection>, IdleHandle)>();
    handle::<(PoolError, PoolStats<Target>, TargetStats, ClosedStats)>();
}

#[test]
fn pools_are_sync_whatever_the_connection_is() {
    fn handle<T: Clone + Send + Sync + 'static>() {}

    handle::<(NotSyncPool, PoolService<NotSyncMaker, Target, ()>)>();
}

#[test]
fn futures_may_be_spawned_and_moved() {
    fn spawned<T: Send + Unpin + Debug + 'static>() {}

    type Inner = Ready<Result<usize, Infallible>>;
    spawned::<(Checkout<Connection>, Checkout<NotSync>)>();
    spawned::<(
        Answer<Inner, Connection>,
        ResponseFuture<Inner, Connection, ()>,
    )>();
    spawned::<(IdleFuture<Inner, ()>, InFlight, WarmAll<Target>)>();
    spawned::<(Pooled<Connection>, Pooled<NotSync>)>();
}

#[test]
fn a_pool_is_itself_a_maker() {
    fn maker<M: MakeService<Target, Ask, Service = Pooled<Connection>, MakeError = PoolError>>() {}

    maker::<Pool<Maker, Target, Ask>>();
}

struct NotSync(Cell<u32>);

impl Service<()> for NotSync {
    type Response = u32;
    type Error = Infallible;
    type Future = Ready<Result<u32, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(self.0.get()))
    }
}

#[derive(Clone, Debug)]
struct NotSyncMaker;

impl Service<Target> for NotSyncMaker {
    type Response = NotSync;
    type Error = Infallible;
    type Future = Ready<Result<NotSync, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Target) -> Self::Future {
        ready(Ok(NotSync(Cell::new(1))))
    }
}

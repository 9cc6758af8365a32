//! Somebody's code that panics in the background harms nobody else, and ends nothing for good.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Ask, Broken, Connection, Layer1, MINUTE, SECOND, Server, TARGET, TestPool};
use common::{check_out, lend, refusal, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::{Pool, PoolError, PoolLayer};

#[tokio::test(start_paused = true)]
async fn a_capacity_that_panics_at_a_look_is_none_for_now() {
    let (server, fuse) = (Server::new(), Fuse::default());
    let burns = fuse.clone();
    let layer = Layer1::new(1).shared(move |_: &Connection| {
        burns.burn();
        1
    });
    let pool = layer.layer(server.maker());
    let lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    fuse.light(true);
    sleep(SECOND).await;
    drop(lent);
    assert_pending!(waiter.poll(), "nobody knows how many it can take");
    fuse.light(false);
    sleep(SECOND).await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_capacity_that_panics_at_first_fails_the_connect() {
    let (server, fuse) = (Server::new(), Fuse::default());
    let burns = fuse.clone();
    let layer = Layer1::new(1).shared(move |_: &Connection| {
        burns.burn();
        1
    });

    connects_again_once_the_fuse_is_out(&server, &fuse, layer.layer(server.maker())).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_panics_at_first_fails_the_connect() {
    let (server, fuse) = (Server::new(), Fuse::default());
    let burns = fuse.clone();
    let layer = Layer1::new(1).closed(move |_: &Connection| {
        burns.burn();
        pending::<()>()
    });

    connects_again_once_the_fuse_is_out(&server, &fuse, layer.layer(server.maker())).await;
}

#[tokio::test(start_paused = true)]
async fn a_backoff_that_panics_is_a_long_pause() {
    let (server, fuse) = (Server::new(), Fuse::default());
    let burns = fuse.clone();
    let layer = Layer1::new(1).backoff(move || {
        burns.burn();
        iter::repeat(Duration::ZERO)
    });
    let pool = layer.layer(server.maker());
    server.refuse(true);
    fuse.light(true);

    let error = refusal(&pool).await;
    assert!(matches!(error, PoolError::Connect(_)), "{error:?}");
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    server.refuse(false);
    sleep(Duration::from_millis(499)).await;
    assert_pending!(waiter.poll());
    sleep(Duration::from_millis(2)).await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_validation_that_panics_closes_its_connection_and_no_other() {
    let (server, fuse) = (Server::new(), Fuse::default());
    let burns = fuse.clone();
    let layer = Layer1::new(3).validate(move |_: &Connection| {
        burns.burn();
        ready(Ok::<_, Broken>(()))
    });
    let pool = layer.idle_timeout(Some(MINUTE)).layer(server.maker());
    let (mut one, mut two, three) = (lend(&pool).await, lend(&pool).await, lend(&pool).await);
    let hanging = [
        one.ready().await.unwrap().call(Ask::Hang),
        two.ready().await.unwrap().call(Ask::Hang),
    ];
    fuse.light(true);

    drop((one, two, three, hanging));
    settle().await;
    fuse.light(false);

    assert_eq!(pool.stats().total.closed.invalid, 2);
    assert_eq!((server.open(), pool.stats().total.idle), (1, 1));
    still_tidies_up(&server).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_panics_when_it_is_asked_is_closed_and_the_others_are_asked() {
    let fuses = Fuses::default();
    let layer = TouchyLayer::new(3).sweep_interval(10 * SECOND);
    let pool = layer.idle_timeout(Some(MINUTE)).layer(fuses.maker());
    let lent = [touch(&pool).await, touch(&pool).await, touch(&pool).await];
    drop(lent);
    fuses.ready.light(true);

    sleep(11 * SECOND).await;
    settle().await;
    fuses.ready.light(false);

    assert_eq!(pool.stats().total.closed.invalid, 3);
    drop(touch(&pool).await);
    assert_eq!(pool.stats().total.opened, 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_panics_when_it_is_dropped_keeps_no_other_open() {
    let fuses = Fuses::default();
    let layer = TouchyLayer::new(3).idle_timeout(Some(MINUTE));
    let pool = layer.layer(fuses.maker());
    let lent = [touch(&pool).await, touch(&pool).await, touch(&pool).await];
    let [one, two, three] = lent;
    drop((one, two));
    sleep(SECOND).await;
    drop(three);
    fuses.drop.light(true);

    sleep(MINUTE - SECOND / 2).await;
    settle().await;
    assert_eq!(pool.stats().total.closed.idle, 2);
    fuses.drop.light(false);
    sleep(SECOND).await;
    settle().await;

    assert_eq!(pool.stats().total.closed.idle, 3);
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_when_a_connection_panics_as_it_is_dropped() {
    let fuses = Fuses::default();
    let pool = TouchyLayer::new(1).layer(fuses.maker());
    drop(touch(&pool).await);
    fuses.drop.light(true);

    let mut drained = task::spawn(pool.drain(&TARGET, MINUTE));
    fuses.drop.light(false);
    let _left = drained.poll();
    settle().await;

    assert!(pool.stats().targets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_maker_that_panics_when_it_is_cloned_fails_the_connect() {
    let fuses = Fuses::default();
    let pool = TouchyLayer::new(1).layer(fuses.maker());
    fuses.clone.light(true);

    let error = pool.service(TARGET).checkout().await.err().unwrap();
    fuses.clone.light(false);

    assert!(matches!(error, PoolError::Connect(_)), "{error:?}");
    drop(touch(&pool).await);
}

#[tokio::test(start_paused = true)]
async fn a_borrower_that_panics_leaves_its_slot() {
    // The slot of one who could not be given a handle stayed lent for good.
    let fuses = Fuses::default();
    let (burns, told) = (fuses.capacity.clone(), fuses.clone());
    let layer = TouchyLayer::new(1).shared(move |_: &Touchy| {
        burns.burn();
        1
    });
    let pool = layer.layer(told.maker());
    drop(touch(&pool).await);

    for fuse in [&fuses.clone, &fuses.capacity, &fuses.ready, &fuses.drop] {
        fuse.light(true);
        let mut used = task::spawn(async { drop(touch(&pool).await) });
        let panics = catch_unwind(AssertUnwindSafe(|| used.poll())).is_err();
        fuse.light(false);
        drop(used);
        assert!(panics);
        assert_eq!(pool.stats().total.lent, 0);
    }

    drop(touch(&pool).await);
    assert_eq!(pool.stats().total.opened, 1);
}

/// Whoever waits is told, and who comes later is served.
async fn connects_again_once_the_fuse_is_out(server: &Server, fuse: &Fuse, pool: TestPool) {
    fuse.light(true);

    let error = refusal(&pool).await;
    assert!(matches!(error, PoolError::Connect(_)), "{error:?}");
    let total = pool.stats().total;
    assert_eq!((total.connecting, total.failed, server.open()), (0, 1, 0));
    fuse.light(false);

    assert_eq!(lend(&pool).await.number, 1);
}

/// The task that tidies up is there as ever.
async fn still_tidies_up(server: &Server) {
    sleep(MINUTE + SECOND).await;
    settle().await;

    assert_eq!(server.open(), 0);
}

async fn touch(pool: &TouchyPool) -> wt_pool::Pooled<Touchy> {
    pool.clone().oneshot(TARGET).await.unwrap()
}

/// Whether it is time to panic.
#[derive(Clone, Default)]
struct Fuse(Arc<AtomicBool>);

impl Fuse {
    fn light(&self, lit: bool) {
        self.0.store(lit, Ordering::SeqCst);
    }

    fn burn(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "a panic on purpose");
    }
}

#[derive(Clone, Default)]
struct Fuses {
    clone: Fuse,
    ready: Fuse,
    drop: Fuse,
    capacity: Fuse,
}

impl Fuses {
    fn maker(&self) -> TouchyMaker {
        TouchyMaker(self.clone())
    }
}

type TouchyLayer = PoolLayer<u16, (), Touchy>;
type TouchyPool = Pool<TouchyMaker, u16, ()>;

struct Touchy(Fuses);

impl Clone for Touchy {
    fn clone(&self) -> Self {
        self.0.clone.burn();
        Self(self.0.clone())
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.drop.burn();
        }
    }
}

impl Service<()> for Touchy {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.ready.burn();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

struct TouchyMaker(Fuses);

impl Clone for TouchyMaker {
    fn clone(&self) -> Self {
        self.0.clone.burn();
        Self(self.0.clone())
    }
}

impl Service<u16> for TouchyMaker {
    type Response = Touchy;
    type Error = Infallible;
    type Future = Ready<Result<Touchy, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u16) -> Self::Future {
        ready(Ok(Touchy(self.0.clone())))
    }
}

//! The limit on all targets together, and whose turn it is when there is room.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use common::{Ask, Broken, Connection, Layer1, SECOND, Server, lend, settle};
use tokio::runtime::Builder;
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::PoolLayer;

#[tokio::test(start_paused = true)]
async fn all_targets_together_stay_within_the_limit_on_all() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = Layer1::new(3).max_total(4).layer(server.maker());

    let callers: Vec<_> = (0..60_u16)
        .map(|caller| {
            let mut pool = pool.clone();
            tokio::spawn(async move {
                let lent = pool.call(caller % 6).await.unwrap();
                sleep(SECOND).await;
                drop(lent);
            })
        })
        .collect();
    let mut served = 0;
    for caller in callers {
        served += usize::from(caller.await.is_ok());
    }

    assert_eq!(server.most(), 4);
    assert_eq!(served, 60);
}

#[tokio::test(start_paused = true)]
async fn the_connection_idle_for_longest_makes_room_for_another_target() {
    let server = Server::new();
    let mut pool = Layer1::new(3).max_total(2).layer(server.maker());
    drop(pool.call(1).await.unwrap());
    sleep(SECOND).await;
    drop(pool.call(2).await.unwrap());

    let lent = pool.call(3).await.unwrap();

    assert_eq!(lent.number, 2);
    assert!(server.connection(0).is_gone());
    assert!(!server.connection(1).is_gone());
    assert_eq!(pool.stats().total.closed.evicted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_becomes_idle_makes_room_for_who_waits_for_another_target() {
    let server = Server::new();
    let mut pool = Layer1::new(3).max_total(1).layer(server.maker());
    let lent = pool.call(1).await.unwrap();
    let mut waiter = task::spawn(pool.call(2));
    assert_pending!(waiter.poll());
    settle().await;
    assert_pending!(waiter.poll());

    drop(lent);
    settle().await;

    assert!(waiter.is_woken());
    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_needs_any_more_makes_room_for_another_target() {
    // It was in stock, idle, and who waited for room was not told.
    let server = Server::new();
    let mut pool = Layer1::new(2).max_total(2).layer(server.maker());
    let first = pool.call(1).await.unwrap();
    server.delay(SECOND);
    let mut second = task::spawn(pool.call(1));
    let mut other = task::spawn(pool.call(2));
    assert_pending!(second.poll());
    assert_pending!(other.poll());
    settle().await;
    drop(first);
    let second = assert_ready_ok!(second.poll());

    sleep(3 * SECOND).await;
    settle().await;

    assert!(other.is_woken());
    let _other = assert_ready_ok!(other.poll());
    assert_eq!((second.number, server.most()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_proved_to_live_makes_room_for_another_target() {
    let server = Server::new();
    let layer = Layer1::new(2)
        .max_total(1)
        .validate(|_: &Connection| async {
            sleep(SECOND).await;
            Ok::<_, Broken>(())
        });
    let mut pool = layer.layer(server.maker());
    let mut first = pool.call(1).await.unwrap();
    drop(first.ready().await.unwrap().call(Ask::Hang));
    drop(first);
    let mut other = task::spawn(pool.call(2));
    assert_pending!(other.poll());

    sleep(2 * SECOND).await;
    settle().await;

    assert!(other.is_woken());
    let _other = assert_ready_ok!(other.poll());
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_makes_no_room_while_it_proves_to_live() {
    // It was closed for another target, and one more, as it stayed open for its proof.
    let server = Server::new();
    let layer = server.sharing(Layer1::new(2)).max_total(2);
    let layer = layer.validate(async |_: &Connection| {
        sleep(2 * SECOND).await;
        Ok::<_, Broken>(())
    });
    let mut pool = layer.layer(server.maker());
    let (mut suspect, other) = (pool.call(1).await.unwrap(), pool.call(1).await.unwrap());
    drop(suspect.ready().await.unwrap().call(Ask::Hang));
    drop(suspect);
    drop(other);
    settle().await;

    let mut waiter = task::spawn(pool.call(2));
    assert_pending!(waiter.poll());
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 2);
    assert!(server.connection(1).is_gone());
    sleep(3 * SECOND).await;
    settle().await;
    assert!(!server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.evicted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_can_ask_again_waits_for_no_room() {
    let server = Server::new();
    let mut pool = Layer1::new(1).max_total(1).layer(server.maker());
    let lent = pool.call(1).await.unwrap();
    let hinge = pool.service(2);
    let mut asks = task::spawn(hinge.clone());
    assert_pending!(asks.enter(|cx, mut clone| clone.poll_ready(cx)));
    drop(asks);
    settle().await;
    assert_eq!(pool.stats().targets.len(), 2);

    drop(hinge);
    settle().await;

    assert_eq!(pool.stats().targets.len(), 1);
    drop(lent);
    settle().await;
    assert_eq!(server.connects(), 1);
}

#[test]
fn a_target_whose_runtime_has_ended_keeps_no_turn_for_room() {
    // Whatever became free was for a target that nobody took care of any more.
    let server = Server::new();
    let mut pool = Layer1::new(2).max_total(2).layer(server.maker());
    let runtime = || {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let (lent, mut hungry) = first.block_on(async {
        let lent = pool.call(1).await.unwrap();
        let mut hungry = task::spawn(pool.call(2));
        let mut more = task::spawn(pool.call(2));
        assert_pending!(hungry.poll());
        let other = hungry.await.unwrap();
        assert_pending!(more.poll());
        settle().await;
        ((lent, other), more)
    });

    drop(first);
    assert!(hungry.is_woken());
    assert!(assert_ready!(hungry.poll()).is_err());

    runtime().block_on(async {
        let mut third = task::spawn(pool.call(3));
        assert_pending!(third.poll());
        drop(lent.1);
        settle().await;
        assert_eq!(assert_ready_ok!(third.poll()).number, 2);
    });
}

#[tokio::test(start_paused = true)]
async fn without_room_for_a_replacement_the_old_connection_closes_first() {
    // It stayed for good, as there was never room for the other.
    let server = Server::new();
    server.set_capacity(5);
    let layer = server.sharing(Layer1::new(2)).max_total(1);
    let pool = layer.max_lifetime(Some(10 * SECOND)).layer(server.maker());
    drop(lend(&pool).await);

    sleep(15 * SECOND).await;
    settle().await;

    assert!(server.connection(0).is_gone());
    assert_eq!(lend(&pool).await.number, 1);
    assert_eq!(server.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_makes_room_when_its_last_borrower_is_done() {
    let server = Server::new();
    server.set_capacity(2);
    let layer = server.sharing(Layer1::new(3)).max_total(1);
    let mut pool = layer.layer(server.maker());
    let lent = pool.call(1).await.unwrap();
    let mut waiter = task::spawn(pool.call(2));
    assert_pending!(waiter.poll());
    settle().await;

    drop(lent);
    settle().await;

    let _lent = assert_ready_ok!(waiter.poll());
}

#[test]
fn a_shared_connection_that_is_discarded_keeps_its_room_until_it_is_closed() {
    // Its room was another's while the lease that came back still held it.
    let (closing, closes) = channel();
    let (go, goes) = channel();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let made = Arc::new(AtomicUsize::new(0));
    let maker = SlowToClose {
        made: Arc::clone(&made),
        closing: Arc::new(Mutex::new(Some((closing, goes)))),
    };
    let layer = PoolLayer::new(1).shared(|_: &Slow| 2).max_total(1);
    let mut pool = layer.layer(maker);
    let lent = runtime.block_on(pool.clone().oneshot(1)).unwrap();

    let discards = thread::spawn(move || lent.discard());
    closes.recv().unwrap();
    let mut other = task::spawn(pool.call(2));
    runtime.block_on(async {
        assert_pending!(other.poll());
        settle().await;
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);

    go.send(()).unwrap();
    discards.join().unwrap();
    runtime.block_on(settle());
    assert_eq!(made.load(Ordering::SeqCst), 2);
    drop(assert_ready_ok!(other.poll()));
}

type Closing = (Sender<()>, Receiver<()>);

/// Makes connections of which the first takes its time to close.
#[derive(Clone)]
struct SlowToClose {
    made: Arc<AtomicUsize>,
    closing: Arc<Mutex<Option<Closing>>>,
}

#[derive(Clone)]
struct Slow(#[expect(dead_code, reason = "it is dropped with the last handle")] Arc<Last>);

struct Last(Mutex<Option<Closing>>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some((closing, goes)) = self.0.get_mut().unwrap().take() {
            let _ = closing.send(());
            let _ = goes.recv_timeout(60 * SECOND);
        }
    }
}

impl Service<u16> for SlowToClose {
    type Response = Slow;
    type Error = Broken;
    type Future = Ready<Result<Slow, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u16) -> Self::Future {
        self.made.fetch_add(1, Ordering::SeqCst);
        let closing = self.closing.lock().unwrap().take();
        ready(Ok(Slow(Arc::new(Last(Mutex::new(closing))))))
    }
}

impl Service<()> for Slow {
    type Response = ();
    type Error = Broken;
    type Future = Ready<Result<(), Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

//! The end of a pool, of a target, and of whoever is left.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::thread;

use common::{Ask, Broken, Connection, Layer1, MINUTE, SECOND, Server, TARGET};
use common::{check_out, lend, refusal, settle};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::PoolError;

#[tokio::test(start_paused = true)]
async fn close_leaves_nobody_asleep() {
    let server = Server::new();
    server.delay(MINUTE);
    let pool = server.exclusive(2);
    let mut waiters: Vec<_> = (0..10).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    let mut warm = task::spawn(pool.warm(TARGET, 2));
    assert_pending!(warm.poll());
    settle().await;

    pool.close();
    settle().await;

    for mut waiter in waiters {
        assert!(waiter.is_woken());
        let error = assert_ready_err!(waiter.poll());
        assert!(matches!(error, PoolError::Closed), "{error:?}");
    }
    assert!(matches!(assert_ready!(warm.poll()), Err(PoolError::Closed)));
    assert_eq!(server.connecting(), 0);
    assert!(matches!(refusal(&pool).await, PoolError::Closed));
}

#[tokio::test(start_paused = true)]
async fn close_closes_the_idle_now_and_the_lent_when_they_come_back() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let (lent, idle) = (lend(&pool).await, lend(&pool).await);
    drop(idle);

    pool.close();

    assert!(server.connection(1).is_gone());
    assert!(!server.connection(0).is_gone());
    drop(lent);
    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.pool_closed, 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_closes_the_pool_and_ends_its_tasks() {
    let server = Server::new();
    let pool = server.exclusive(2);
    drop(lend(&pool).await);
    let clone = pool.clone();
    drop(pool);
    settle().await;
    assert_eq!(server.open(), 1, "a handle is left");
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);

    drop(clone);
    settle().await;

    assert_eq!(server.open(), 0);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_session_does_not_keep_a_dropped_pool_alive() {
    let server = Server::new();
    let layer = server.sharing(Layer1::new(3)).closed(Connection::closed);
    let pool = layer.layer(server.maker());
    let session = lend(&pool).await;
    drop(lend(&pool).await);
    assert_eq!(server.open(), 2);

    drop(pool);
    settle().await;

    assert_eq!(server.open(), 1, "that of the session");
    // The watch of the session's connection belongs to it, not to the pool.
    assert!(Handle::current().metrics().num_alive_tasks() <= 1);
    drop(session);
    settle().await;
    assert_eq!(server.open(), 0);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connect_does_not_keep_a_dropped_pool_alive() {
    let server = Server::new();
    server.delay(MINUTE);
    let pool = server.exclusive(1);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;
    assert_eq!(server.connecting(), 1);

    drop(waiter);
    drop(pool);
    settle().await;

    assert_eq!(server.connecting(), 0);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_checkout_that_waits_keeps_the_pool_open() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.exclusive(1);

    let lent = pool.oneshot(TARGET).await;

    assert_eq!(lent.unwrap().number, 0);
}

#[test]
fn everything_may_be_dropped_outside_of_a_runtime() {
    let server = Server::new();
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    let pool = server.exclusive(2);
    let (lent, discarded, hinge, mut waiter) = runtime.block_on(async {
        let lent = [lend(&pool).await, lend(&pool).await];
        let mut hinge = pool.service(TARGET);
        let mut polled = task::spawn(check_out(&pool));
        assert_pending!(polled.poll());
        let mut waiter = task::spawn(check_out(&pool));
        assert_pending!(waiter.poll());
        drop(polled);
        let _pending = task::spawn(std::future::poll_fn(|cx| hinge.poll_ready(cx))).poll();
        let [one, two] = lent;
        (one, two, hinge, waiter)
    });

    let dropped = thread::spawn(move || {
        discarded.discard();
        drop(hinge);
        drop(lent);
    });
    dropped.join().unwrap();

    assert!(waiter.is_woken());
    let lent = assert_ready_ok!(waiter.poll());
    thread::spawn(move || drop(lent)).join().unwrap();
    assert_eq!(pool.stats().total.idle, 1);
    drop(runtime);
    drop(pool);
    assert_eq!(server.open(), 0);
}

#[test]
fn futures_may_be_dropped_outside_of_a_runtime() {
    for runtime_ends in [false, true] {
        let server = Server::new();
        let layer = Layer1::new(2).validate(|_: &Connection| pending::<Result<(), Broken>>());
        let mut pool = layer.layer(server.maker());
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        let (answer, response, drained, warm) = runtime.block_on(async {
            let (mut lent, drains) = (lend(&pool).await, pool.call(1).await.unwrap());
            let mut hinge = pool.service(TARGET);
            let response = hinge.ready().await.unwrap().call(Ask::Hang);
            let mut drained = task::spawn(pool.drain(&1, MINUTE));
            assert_pending!(drained.poll());
            server.delay(MINUTE);
            let mut warm = task::spawn(pool.warm_all([2, 3]));
            assert_pending!(warm.poll_next());
            settle().await;
            let answer = lent.call(Ask::Hang);
            drop((lent, drains));
            (answer, response, drained, warm)
        });
        let runtime = (!runtime_ends).then_some(runtime);

        drop_elsewhere(answer);
        drop_elsewhere(response);
        drop_elsewhere(drained);
        drop_elsewhere(warm);

        let total = pool.stats().total;
        assert_eq!((total.lent, total.open), (0, 2));
        if let Some(runtime) = runtime {
            runtime.block_on(settle());
            let mut waiter = task::spawn(check_out(&pool));
            let _inside = runtime.enter();
            assert_pending!(waiter.poll(), "lent before it has proved anything");
            assert_eq!(server.connecting(), 2, "what has begun goes on");
        }
        drop(pool);
        assert_eq!(server.open(), 0);
    }
}

fn drop_elsewhere(future: impl Send + 'static) {
    thread::spawn(move || drop(future)).join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_target_that_drains_lets_nobody_in_and_waits_for_what_is_lent() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let (lent, idle) = (lend(&pool).await, lend(&pool).await);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    drop(idle);
    drop(assert_ready_ok!(waiter.poll()));

    let mut drained = task::spawn(pool.drain(&TARGET, MINUTE));
    assert_pending!(drained.poll());
    assert!(server.connection(1).is_gone());
    assert!(matches!(refusal(&pool).await, PoolError::Draining));
    drop(lent);
    settle().await;

    assert!(drained.is_woken());
    assert_eq!(assert_ready!(drained.poll()), 0);
    assert_eq!(lend(&pool).await.number, 2, "it may be used again");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_target_that_drains_is_told() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let _lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    drop(pool.drain(&TARGET, MINUTE));

    assert!(waiter.is_woken());
    assert!(matches!(
        assert_ready_err!(waiter.poll()),
        PoolError::Draining
    ));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_no_longer_than_its_deadline() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let lent = lend(&pool).await;
    let began = Instant::now();

    let left = pool.drain(&TARGET, 3 * SECOND).await;

    assert_eq!((left, began.elapsed()), (1, 3 * SECOND));
    assert!(matches!(refusal(&pool).await, PoolError::Draining));
    drop(lent);
    settle().await;
    assert_eq!(server.open(), 0);
    assert_eq!(lend(&pool).await.number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_proof_of_life() {
    let server = Server::new();
    let layer = Layer1::new(1).validate(|_: &Connection| pending::<Result<(), Broken>>());
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    drop(lent);
    settle().await;
    assert_eq!(server.open(), 1);

    let mut drained = task::spawn(pool.drain(&TARGET, MINUTE));
    assert_pending!(drained.poll(), "it is still open");
    settle().await;

    assert_eq!(assert_ready!(drained.poll()), 0);
    assert_eq!((server.open(), pool.stats().total.closed.drained), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn all_targets_drain_together() {
    let server = Server::new();
    let mut pool = server.exclusive(2);
    let lent = [pool.call(1).await.unwrap(), pool.call(2).await.unwrap()];
    drop(pool.call(3).await.unwrap());
    let mut drained = task::spawn(pool.drain_all(MINUTE));
    assert_pending!(drained.poll());

    let [one, two] = lent;
    drop(one);
    settle().await;
    assert_pending!(drained.poll());
    drop(two);
    settle().await;

    assert_eq!(assert_ready!(drained.poll()), 0);
    assert_eq!((server.open(), pool.stats().targets.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_can_be_waited_for() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let lent = lend(&pool).await;
    pool.close();
    let mut drained = task::spawn(pool.drain_all(MINUTE));
    assert_pending!(drained.poll());

    drop(lent);
    settle().await;

    assert_eq!(assert_ready!(drained.poll()), 0);
}

#[tokio::test(start_paused = true)]
async fn empty_targets_leave_the_pool() {
    let server = Server::new();
    let mut pool = Layer1::new(1)
        .idle_timeout(Some(SECOND))
        .layer(server.maker());
    for target in 0..50 {
        drop(pool.call(target).await.unwrap());
    }
    assert_eq!(pool.stats().targets.len(), 50);

    sleep(2 * SECOND).await;
    settle().await;

    let stats = pool.stats();
    assert!(stats.targets.is_empty());
    assert_eq!((stats.total.opened, stats.total.closed.idle), (50, 50));
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_stays_as_long_as_a_hinge_is_bound_to_it() {
    let server = Server::new();
    let pool = Layer1::new(1)
        .idle_timeout(Some(SECOND))
        .layer(server.maker());
    let hinge = pool.service(TARGET);
    drop(hinge.checkout().await.unwrap());
    sleep(2 * SECOND).await;
    settle().await;
    assert_eq!(pool.stats().targets.len(), 1);

    let _lent = lend(&pool).await;
    let mut other = task::spawn(hinge.checkout());
    assert_pending!(other.poll(), "one target, one limit");
    drop((other, hinge, _lent));
    sleep(2 * SECOND).await;
    settle().await;

    assert!(pool.stats().targets.is_empty());
}

#[test]
fn a_target_that_nobody_takes_care_of_any_more_leaves_the_pool() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let hinge = pool.service(TARGET);
        let mut asks = task::spawn(hinge.checkout());
        assert_pending!(asks.poll());
    });

    drop(runtime);

    assert!(pool.stats().targets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_not_waited_for_leaves_the_pool() {
    let server = Server::new();
    let pool = server.exclusive(1);

    drop(check_out(&pool));
    settle().await;

    assert!(pool.stats().targets.is_empty());
}

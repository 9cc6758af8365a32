//! The figures of a pool.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Broken, Connection, Layer1, MINUTE, SECOND, Server, TARGET};
use common::{check_out, lend, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::PoolError;

#[tokio::test(start_paused = true)]
async fn figures_are_those_of_each_target_and_of_all() {
    let server = Server::new();
    let mut pool = server.exclusive(3);
    let _lent = pool.call(1).await.unwrap();
    drop(pool.call(1).await.unwrap());
    drop(pool.call(2).await.unwrap());
    drop(pool.call(2).await.unwrap());

    let stats = pool.stats();
    let one = pool.stats_of(&1).unwrap();

    assert_eq!((one.open, one.lent, one.in_use, one.idle), (2, 1, 1, 1));
    assert_eq!((one.opened, one.reused), (2, 0));
    assert_eq!(pool.stats_of(&2).unwrap().reused, 1);
    assert!(pool.stats_of(&3).is_none());
    assert_eq!((stats.total.open, stats.total.idle), (3, 2));
    assert_eq!((stats.targets.len(), stats.max_connections), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_counted() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = Layer1::new(1).layer(server.maker());
    let mut waiters = [task::spawn(check_out(&pool)), task::spawn(check_out(&pool))];
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;

    let total = pool.stats().total;

    assert_eq!((total.connecting, total.waiting), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_or_in_vain_is_counted_for_its_own_target() {
    let server = Server::new();
    server.delay(MINUTE);
    let mut pool = server.exclusive(2);
    let mut waiters = [1, 1, 2].map(|target| task::spawn(pool.call(target)));
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;
    let [one, two] = [1, 2].map(|target| pool.stats_of(&target).unwrap());
    assert_eq!((one.connecting, one.waiting, one.timeouts), (2, 2, 0));
    assert_eq!((two.connecting, two.waiting, two.timeouts), (1, 1, 0));

    let [first, second, gone] = waiters;
    drop(gone);
    sleep(31 * SECOND).await;
    for mut waiter in [first, second] {
        let error = assert_ready_err!(waiter.poll());
        assert!(
            matches!(error, PoolError::TimedOut { connecting: 2, .. }),
            "{error:?}"
        );
    }

    let mut stats = pool.stats();
    stats.targets.sort_by_key(|(target, _)| *target);
    let of_each = stats.targets.iter();
    let of_each: Vec<_> = of_each
        .map(|(target, one)| (*target, one.connecting, one.timeouts))
        .collect();
    assert_eq!(of_each, [(1, 2, 2), (2, 1, 0)]);
    assert_eq!((stats.total.connecting, stats.total.timeouts), (3, 2));
    for (target, one) in stats.targets {
        assert_eq!(pool.stats_of(&target), Some(one));
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_is_counted_by_its_reason() {
    let server = Server::new();
    let pool = server.exclusive(5);
    lend(&pool).await.discard();
    drop(lend(&pool).await);
    server.connection(1).kill();
    drop(lend(&pool).await);
    drop(pool.drain(&TARGET, SECOND));
    settle().await;
    server.refuse(true);
    let _refused = common::refusal(&pool).await;

    let total = pool.stats().total;

    let closed = total.closed;
    assert_eq!((closed.discarded, closed.dead, closed.drained), (1, 1, 1));
    assert_eq!((closed.sum(), total.opened, total.failed), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_death_is_counted_when_it_is_known_whoever_has_the_connection() {
    // It was counted when the last borrower gave it back, which a session may never do.
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(2);
    let (mut lent, other) = (lend(&pool).await, lend(&pool).await);
    server.connection(0).kill();

    assert_eq!(lent.ready().await.err(), Some(Broken));

    let total = pool.stats().total;
    assert_eq!((total.closed.dead, total.open, total.in_use), (1, 0, 0));
    assert_eq!((total.draining, total.lent), (0, 2));
    drop((lent, other));
    let total = pool.stats().total;
    assert_eq!(
        (total.closed.dead, total.closed.sum(), total.lent),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_dies_while_it_drains_is_dead_and_makes_room() {
    // It counted as used up, for the figures and for the limit.
    let server = Server::new();
    server.set_capacity(5);
    let layer = server.sharing(Layer1::new(1)).max_uses(Some(1));
    let pool = layer.closed(Connection::closed).layer(server.maker());
    let used_up = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;
    assert_pending!(waiter.poll());

    server.connection(0).kill();
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
    drop(used_up);
    let closed = pool.stats().total.closed;
    assert_eq!((closed.dead, closed.uses), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_discarded_while_it_drains_is_counted_as_discarded() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;

    drop(pool.drain(&TARGET, SECOND));
    lent.discard();

    let closed = pool.stats().total.closed;
    assert_eq!((closed.discarded, closed.drained), (1, 0));
}

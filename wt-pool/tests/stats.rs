//! The figures of a pool.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Layer1, SECOND, Server, TARGET, check_out, lend, settle};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service};

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

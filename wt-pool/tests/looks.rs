//! Looking at connections: at all of them, from outside.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Server, TARGET, lend, settle};
use tower::ServiceExt;

#[tokio::test(start_paused = true)]
async fn each_connection_that_may_be_lent_is_shown_with_its_target() {
    let server = Server::new();
    let pool = server.exclusive(3);
    let lent = lend(&pool).await;
    drop([lend(&pool).await, lend(&pool).await]);
    drop(pool.clone().oneshot(7).await.unwrap());
    let before = pool.stats().total;

    let mut shown = Vec::new();
    pool.for_each(|target, connection| shown.push((*target, connection.number)));

    shown.sort_unstable();
    assert_eq!(shown, [(7, 3), (TARGET, 1), (TARGET, 2)], "one is lent");
    assert_eq!(pool.stats().total, before, "a look is no use");
    drop(lent);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_is_shown_while_it_is_lent() {
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(1);
    let lent = [lend(&pool).await, lend(&pool).await];

    let mut shown = Vec::new();
    pool.for_each(|_, connection| shown.push(connection.number));

    assert_eq!(shown, [0]);
    drop(lent);
    assert_eq!(lend(&pool).await.number, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retained_closes() {
    let server = Server::new();
    let pool = server.exclusive(3);
    let lent = [lend(&pool).await, lend(&pool).await, lend(&pool).await];
    let [one, two, three] = lent;
    drop((one, two));

    pool.retain(|target, connection| *target == TARGET && connection.number == 1);

    assert!(server.connection(0).is_gone());
    assert!(!server.connection(1).is_gone());
    assert!(!server.connection(2).is_gone(), "it is lent");
    assert_eq!(pool.stats().total.closed.removed, 1);
    drop(three);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_panics_there_and_costs_what_it_was_shown() {
    let server = Server::new();
    let pool = server.exclusive(2);
    drop([lend(&pool).await, lend(&pool).await]);

    let look = || pool.for_each(|_, connection| assert_eq!(connection.number, 1, "on purpose"));
    let panicked = catch_unwind(AssertUnwindSafe(look));
    settle().await;

    assert!(panicked.is_err());
    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.open, 1);
    assert_eq!(lend(&pool).await.number, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_at_is_open_until_the_look_ends() {
    // Another could take its place while somebody still had a reference to it.
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(1);
    drop(lend(&pool).await);

    pool.retain(|_, _| {
        pool.retain(|_, _| false);
        assert_eq!(pool.stats().total.draining, 1);
        assert!(!server.connection(0).is_gone());
        true
    });

    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.removed, 1);
}

//! Connections that are lent to one borrower at a time.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Ask, Server, check_out, lend, settle};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_connection_that_came_back_is_lent_again() {
    let server = Server::new();
    let pool = server.exclusive(2);

    let first = lend(&pool).await;
    let (number, generation) = (first.number, first.generation());
    drop(first);
    let second = lend(&pool).await;

    assert_eq!((second.number, second.generation()), (number, generation));
    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_borrowers_never_have_one_connection() {
    let server = Server::new();
    let pool = server.exclusive(2);

    let (one, two) = (lend(&pool).await, lend(&pool).await);
    let mut third = task::spawn(check_out(&pool));
    settle().await;

    assert_ne!(one.number, two.number);
    assert_pending!(third.poll());
}

#[tokio::test(start_paused = true)]
async fn the_one_that_came_back_last_goes_first() {
    let server = Server::new();
    let pool = server.exclusive(3);
    let (one, two, three) = (lend(&pool).await, lend(&pool).await, lend(&pool).await);
    let last = two.number;

    drop((three, one));
    drop(two);

    assert_eq!(lend(&pool).await.number, last);
}

#[tokio::test(start_paused = true)]
async fn there_are_never_more_connections_than_the_limit() {
    let server = Server::new();
    server.delay(common::SECOND);
    let pool = server.exclusive(3);

    let callers: Vec<_> = (0..60)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let lent = pool.oneshot(common::TARGET).await.unwrap();
                tokio::time::sleep(common::SECOND).await;
                drop(lent);
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }

    assert_eq!(server.most(), 3);
    assert_eq!(server.connects(), 3);
}

#[tokio::test(start_paused = true)]
async fn as_many_connects_as_waiters_are_under_way() {
    let server = Server::new();
    server.delay(common::SECOND);
    let pool = server.exclusive(10);

    let mut waiters: Vec<_> = (0..4).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;

    assert_eq!(server.connecting(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_takes_what_comes_first_and_the_other_joins_the_stock() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let lent = lend(&pool).await;
    server.delay(common::SECOND);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;
    assert_eq!(server.connecting(), 1);

    drop(lent);

    assert!(waiter.is_woken());
    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
    tokio::time::sleep(common::SECOND).await;
    settle().await;
    assert_eq!(pool.stats().total.idle, 2);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_connection_is_not_lent_again() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;

    lent.discard();

    assert!(server.connection(0).is_gone());
    assert_eq!(lend(&pool).await.number, 1);
    assert_eq!(pool.stats().total.closed.discarded, 1);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_connection_makes_room_for_who_waits() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    lent.discard();
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_is_passed_over_for_one_that_is_ready() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let (one, two) = (lend(&pool).await, lend(&pool).await);
    let (ready, busy) = (one.number, two.number);
    drop(one);
    drop(two);
    server.connection(busy).busy(true);

    let lent = lend(&pool).await;
    assert_eq!(lent.number, ready);
    let last_resort = lend(&pool).await;

    assert_eq!(last_resort.number, busy);
}

#[tokio::test(start_paused = true)]
async fn a_lent_connection_is_the_service_that_it_was() {
    let server = Server::new();
    let pool = server.exclusive(1);

    let mut lent = lend(&pool).await;

    assert_eq!(lent.ready().await.unwrap().call(Ask::Number).await, Ok(0));
    assert_eq!(
        lent.ready().await.unwrap().call(Ask::Fail).await,
        Err(common::Broken)
    );
}

//! Connections with many borrowers.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Layer1, SECOND, Server, check_out, lend, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, ServiceExt};

#[tokio::test(start_paused = true)]
async fn many_borrow_one_connection_up_to_its_capacity() {
    let server = Server::new();
    server.set_capacity(3);
    let pool = server.shared(2);

    let lent = [lend(&pool).await, lend(&pool).await, lend(&pool).await];
    assert_eq!(server.connects(), 1);
    let fourth = lend(&pool).await;

    assert!(lent.iter().all(|lent| lent.number == 0));
    assert_eq!(fourth.number, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_go_to_the_oldest_connection_with_room() {
    let server = Server::new();
    server.set_capacity(2);
    let pool = server.shared(3);
    let mut lent = Vec::new();
    for _ in 0..6 {
        lent.push(lend(&pool).await);
    }

    lent.retain(|lent| lent.number == 1);
    let oldest = [lend(&pool).await.number, lend(&pool).await.number];
    lent.clear();

    assert_eq!(oldest, [0, 0]);
    assert_eq!(lend(&pool).await.number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cold_callers_make_no_more_connections_than_they_need() {
    // One connect at a time, the default, would hide that more are wanted than are needed.
    for at_once in [1, 1000] {
        let server = Server::new();
        server.set_capacity(100);
        server.delay(SECOND);
        let layer = server.sharing(Layer1::new(20)).connects_at_once(at_once);
        let pool = layer.layer(server.maker());

        let callers: Vec<_> = (0..1000)
            .map(|_| tokio::spawn(pool.clone().oneshot(common::TARGET)))
            .collect();
        let mut lent = Vec::new();
        for caller in callers {
            lent.push(caller.await.unwrap().unwrap());
        }

        assert_eq!((server.connects(), lent.len()), (10, 1000));
    }
}

#[tokio::test(start_paused = true)]
async fn connects_of_shared_connections_are_made_one_at_a_time() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.shared(5);

    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;
    for made in 0..5 {
        assert_eq!((server.connecting(), server.open()), (1, made));
        sleep(SECOND).await;
        settle().await;
    }
    settle().await;

    assert_eq!(server.most(), 5);
    assert_eq!(pool.stats().total.lent, 5);
}

#[tokio::test(start_paused = true)]
async fn capacity_that_grows_is_found_by_those_who_come() {
    let server = Server::new();
    let pool = server.shared(1);
    let _first = lend(&pool).await;

    server.set_capacity(2);

    let second = check_out(&pool).await.unwrap();
    assert_eq!(second.number, 0);
}

#[tokio::test(start_paused = true)]
async fn capacity_that_grows_is_found_by_those_who_wait() {
    let server = Server::new();
    let pool = server.shared(1);
    let _first = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    server.set_capacity(2);
    sleep(Duration::from_millis(101)).await;
    settle().await;

    assert!(waiter.is_woken());
    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn capacity_that_grows_is_found_without_any_other_timer() {
    let server = Server::new();
    let layer = server.sharing(Layer1::new(1)).idle_timeout(None);
    let pool = layer.sweep_interval(Duration::MAX).layer(server.maker());
    let _first = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    server.set_capacity(2);
    sleep(Duration::from_millis(101)).await;
    settle().await;

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn capacity_that_falls_sends_nobody_away_and_lets_nobody_in() {
    let server = Server::new();
    server.set_capacity(3);
    let pool = server.shared(1);
    let lent = [lend(&pool).await, lend(&pool).await];

    server.set_capacity(1);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    let [one, two] = lent;
    drop(one);
    settle().await;
    assert_pending!(waiter.poll(), "one is lent, and one is the capacity");
    drop(two);
    settle().await;

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_any_capacity_is_not_lent_for_now() {
    let server = Server::new();
    server.set_capacity(0);
    let pool = server.shared(1);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    sleep(SECOND).await;
    settle().await;
    assert_pending!(waiter.poll());
    assert_eq!(server.connects(), 1);

    server.set_capacity(1);
    sleep(SECOND).await;

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_is_passed_over_for_a_younger_one_with_room() {
    let server = Server::new();
    server.set_capacity(2);
    let pool = server.shared(2);
    let mut lent = [lend(&pool).await, lend(&pool).await, lend(&pool).await].into_iter();
    drop(lent.next());
    server.connection(0).busy(true);

    assert_eq!(lend(&pool).await.number, 1);
}

#[tokio::test(start_paused = true)]
async fn others_keep_their_slots_of_a_discarded_connection() {
    let server = Server::new();
    server.set_capacity(2);
    let pool = server.shared(2);
    let (one, two) = (lend(&pool).await, lend(&pool).await);

    one.discard();

    assert!(!server.connection(0).is_gone());
    assert_eq!(lend(&pool).await.number, 1);
    drop(two);
    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn more_connects_at_once_are_no_more_than_the_waiters_need() {
    let server = Server::new();
    server.set_capacity(10);
    let layer = server.sharing(Layer1::new(10)).connects_at_once(4);
    let pool = layer.layer(server.maker());
    let mut lent: Vec<_> = Vec::new();
    for _ in 0..10 {
        lent.push(lend(&pool).await);
    }
    server.delay(SECOND);

    let mut waiters: Vec<_> = (0..15).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;

    assert_eq!(server.connecting(), 2);
}

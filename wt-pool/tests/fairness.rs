//! First come, first served, by hand-off.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{SECOND, Server, check_out, lend, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_in_which_they_came() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let mut lent = lend(&pool).await;
    let mut waiters: Vec<_> = (0..10).map(|_| task::spawn(check_out(&pool))).collect();
    // They are polled in another order than that in which they came.
    for waiter in waiters.iter_mut().rev() {
        assert_pending!(waiter.poll());
    }

    for place in 0..10 {
        drop(lent);
        let woken: Vec<_> = waiters.iter().map(task::Spawn::is_woken).collect();
        assert_eq!(woken.iter().position(|woken| *woken), Some(place));
        assert_eq!(woken.iter().filter(|woken| **woken).count(), 1);
        lent = assert_ready_ok!(waiters[place].poll());
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_one_who_was_handed_a_slot() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    drop(lent);
    let mut newcomer = task::spawn(check_out(&pool));

    assert_pending!(newcomer.poll());
    let _lent = assert_ready_ok!(waiter.poll());
    assert_pending!(newcomer.poll());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_in_shared_mode_either() {
    let server = Server::new();
    server.set_capacity(2);
    let pool = server.shared(1);
    let (one, _two) = (lend(&pool).await, lend(&pool).await);
    let mut waiters = [task::spawn(check_out(&pool)), task::spawn(check_out(&pool))];
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }

    drop(one);
    let mut newcomer = task::spawn(check_out(&pool));

    assert_pending!(newcomer.poll());
    let [first, second] = &mut waiters;
    assert_pending!(second.poll());
    let _lent = assert_ready_ok!(first.poll());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_checkout_passes_on_what_it_was_handed() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;
    let mut first = task::spawn(check_out(&pool));
    let mut second = task::spawn(check_out(&pool));
    assert_pending!(first.poll());
    assert_pending!(second.poll());

    drop(lent);
    assert!(first.is_woken());
    drop(first);

    assert!(second.is_woken());
    assert_eq!(assert_ready_ok!(second.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_checkout_that_was_never_polled_passes_it_on_too() {
    let server = Server::new();
    let pool = server.exclusive(1);
    drop(lend(&pool).await);

    drop(check_out(&pool));
    let one_who_waits = {
        let _lent = check_out(&pool);
        let mut waiter = task::spawn(check_out(&pool));
        assert_pending!(waiter.poll());
        waiter
    };
    let mut waiter = one_who_waits;

    assert!(waiter.is_woken());
    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
    let total = pool.stats().total;
    assert_eq!((total.reused, server.connects()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_the_line_is_passed_over() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;
    let mut first = task::spawn(check_out(&pool));
    let mut second = task::spawn(check_out(&pool));
    assert_pending!(first.poll());
    assert_pending!(second.poll());

    drop(first);
    drop(lent);

    let _lent = assert_ready_ok!(second.poll());
    assert_eq!(pool.stats().total.waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn one_who_was_handed_a_dead_connection_keeps_its_place() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let lent = lend(&pool).await;
    let mut first = task::spawn(check_out(&pool));
    let mut second = task::spawn(check_out(&pool));
    assert_pending!(first.poll());
    assert_pending!(second.poll());

    server.connection(0).kill();
    drop(lent);
    assert_pending!(first.poll());
    sleep(SECOND).await;
    settle().await;

    assert!(!second.is_woken());
    let lent = assert_ready_ok!(first.poll());
    assert_eq!(lent.number, 1);
    assert_pending!(second.poll());
}

#[tokio::test(start_paused = true)]
async fn a_connect_goes_on_when_its_waiter_has_left() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.exclusive(1);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    drop(waiter);
    sleep(2 * SECOND).await;

    assert_eq!(pool.stats().total.idle, 1);
    assert_eq!(lend(&pool).await.number, 0);
}

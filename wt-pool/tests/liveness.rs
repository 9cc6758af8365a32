//! How the death of a connection is known, and what stale handles may do.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use common::{Ask, Broken, Connection, Layer1, MINUTE, SECOND, Server, check_out, lend, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn a_connection_is_asked_when_it_is_lent() {
    let server = Server::new();
    let pool = server.exclusive(2);
    drop(lend(&pool).await);

    server.connection(0).kill();

    assert_eq!(lend(&pool).await.number, 1);
    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.dead, 1);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_is_asked_when_it_is_lent() {
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(2);
    let old = lend(&pool).await;

    server.connection(0).kill();

    assert_eq!(lend(&pool).await.number, 1);
    drop(old);
    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_finds_the_dead_and_keeps_the_others() {
    let server = Server::new();
    let pool = Layer1::new(3)
        .sweep_interval(10 * SECOND)
        .layer(server.maker());
    drop([lend(&pool).await, lend(&pool).await]);
    server.connection(0).kill();

    sleep(11 * SECOND).await;
    settle().await;

    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.idle, 1);
}

#[tokio::test(start_paused = true)]
async fn a_borrower_that_finds_it_dead_keeps_others_from_it() {
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(2);
    let mut lent = lend(&pool).await;
    let other = lend(&pool).await;
    server.connection(0).kill();

    assert_eq!(lent.ready().await.err(), Some(Broken));

    assert_eq!(pool.stats().total.closed.dead, 1);
    drop((lent, other));
    assert_eq!(lend(&pool).await.number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_handle_harms_no_newer_connection() {
    // A handle of an older generation would empty the pool of its successor.
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(1);
    let (mut stale, other) = (lend(&pool).await, lend(&pool).await);
    server.connection(0).kill();
    other.discard();
    let newer = lend(&pool).await;
    assert_eq!(newer.number, 1);

    assert_eq!(stale.ready().await.err(), Some(Broken));
    drop(stale);

    assert_eq!(lend(&pool).await.number, 1);
    assert_eq!(server.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stale_handle_harms_no_connection_that_is_being_made() {
    let server = Server::new();
    server.set_capacity(5);
    let pool = server.shared(1);
    let (mut stale, other) = (lend(&pool).await, lend(&pool).await);
    server.connection(0).kill();
    other.discard();
    server.delay(SECOND);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    assert_eq!(stale.ready().await.err(), Some(Broken));
    drop(stale);
    sleep(2 * SECOND).await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
    assert_eq!(server.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_connection_that_is_gone_casts_no_suspicion_on_a_newer_one() {
    let server = Server::new();
    let pool = Layer1::new(1)
        .validate(|_: &Connection| pending::<Result<(), Broken>>())
        .layer(server.maker());
    let mut lent = lend(&pool).await;
    let stale = lent.ready().await.unwrap().call(Ask::Hang);
    lent.discard();
    let newer = lend(&pool).await;
    assert_eq!(newer.number, 1);

    drop(stale);
    drop(newer);
    settle().await;

    assert_eq!(lend(&pool).await.number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_death_that_is_reported_is_known_at_once() {
    let server = Server::new();
    let layer = Layer1::new(2).closed(Connection::closed);
    let pool = layer.layer(server.maker());
    drop(lend(&pool).await);

    server.connection(0).kill();
    settle().await;

    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reported_death_ends_no_other_connection() {
    let server = Server::new();
    let layer = Layer1::new(2).closed(Connection::closed);
    let pool = layer.layer(server.maker());
    let (dead, alive) = (lend(&pool).await, lend(&pool).await);

    server.connection(0).kill();
    settle().await;
    drop((dead, alive));

    assert_eq!(lend(&pool).await.number, 1);
    assert_eq!(pool.stats().total.open, 1);
}

#[tokio::test(start_paused = true)]
async fn watching_a_connection_does_not_keep_it_open() {
    let server = Server::new();
    let layer = Layer1::new(2).closed(|connection: &Connection| {
        let kept = connection.clone();
        async move {
            pending::<()>().await;
            drop(kept);
        }
    });
    let pool = layer.layer(server.maker());

    lend(&pool).await.discard();
    settle().await;

    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_unanswered_has_the_connection_prove_that_it_lives() {
    let server = Server::new();
    let layer = Layer1::new(2).validate(|_: &Connection| ready(Err::<(), _>("dead")));
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    let mut hanging = task::spawn(lent.ready().await.unwrap().call(Ask::Hang));
    assert_pending!(hanging.poll());

    drop(hanging);
    drop(lent);
    settle().await;

    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.invalid, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_proved_to_live_is_lent_again() {
    let server = Server::new();
    let layer = Layer1::new(1).validate(|_: &Connection| async {
        sleep(SECOND).await;
        Ok::<_, Broken>(())
    });
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    drop(lent);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll(), "lent before it has proved anything");

    sleep(2 * SECOND).await;
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_never_comes_closes_the_connection() {
    let server = Server::new();
    let layer = Layer1::new(1).validate(|_: &Connection| pending::<Result<(), Broken>>());
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    drop(lent);

    sleep(31 * SECOND).await;
    settle().await;

    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn an_answered_call_needs_no_proof() {
    let server = Server::new();
    let layer = Layer1::new(1).validate(|_: &Connection| ready(Err::<(), _>("dead")));
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;

    lent.ready().await.unwrap().call(Ask::Number).await.unwrap();
    lent.ready()
        .await
        .unwrap()
        .call(Ask::Fail)
        .await
        .unwrap_err();
    drop(lent);
    settle().await;

    assert_eq!(lend(&pool).await.number, 0);
}

#[tokio::test(start_paused = true)]
async fn of_a_shared_connection_anothers_answer_is_proof_enough() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server.sharing(Layer1::new(1));
    let pool = layer
        .validate(|_: &Connection| pending::<Result<(), Broken>>())
        .layer(server.maker());
    let (mut one, mut two) = (lend(&pool).await, lend(&pool).await);
    drop(one.ready().await.unwrap().call(Ask::Hang));
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    two.ready().await.unwrap().call(Ask::Number).await.unwrap();

    assert!(waiter.is_woken());
    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_gives_one_proof_at_a_time() {
    // Each suspicion began a proof of its own, however many were under way; later, so did those
    // that came before the first proof began.
    let server = Server::new();
    server.set_capacity(5);
    let proofs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&proofs);
    let layer = server.sharing(Layer1::new(1));
    let pool = layer
        .validate(move |_: &Connection| {
            counter.fetch_add(1, Ordering::SeqCst);
            pending::<Result<(), Broken>>()
        })
        .layer(server.maker());
    let (mut one, mut two) = (lend(&pool).await, lend(&pool).await);

    for step in 0..10 {
        drop(one.ready().await.unwrap().call(Ask::Hang));
        if step > 1 {
            settle().await;
        }
        two.ready().await.unwrap().call(Ask::Number).await.unwrap();
    }

    assert_eq!(proofs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_proves_to_live_counts_until_the_proof_ends() {
    // It was forgotten when its last slot came back, and another was open beside it.
    let server = Server::new();
    server.set_capacity(5);
    let layer = server.sharing(Layer1::new(1));
    let pool = layer
        .validate(async |connection: &Connection| {
            sleep(SECOND).await;
            connection.clone().ready().await.map(drop)
        })
        .layer(server.maker());
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    settle().await;

    drop(lent);
    pool.retain(|_, _| false);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());
    settle().await;

    assert_eq!(server.connects(), 1, "one more than the limit");
    assert!(!server.connection(0).is_gone());
    sleep(2 * SECOND).await;
    settle().await;
    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
    assert_eq!(server.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_suspicion_that_comes_during_a_look_is_not_lost() {
    // What was looked at had nothing to prove, and was in nobody's reach from then on.
    let server = Server::new();
    let layer = Layer1::new(1).validate(|_: &Connection| ready(Ok::<_, Broken>(())));
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    let hanging = lent.ready().await.unwrap().call(Ask::Hang);
    drop(lent);

    // Waited for without the runtime, whose clock would go on.
    let (looks, looking) = channel();
    let (go_on, goes_on) = channel();
    let other = pool.clone();
    let look = thread::spawn(move || {
        other.retain(|_, _| {
            looks.send(()).unwrap();
            goes_on.recv().unwrap();
            true
        });
    });
    looking.recv().unwrap();
    drop(hanging);
    settle().await;
    go_on.send(()).unwrap();
    look.join().unwrap();
    settle().await;

    assert_eq!(lend(&pool).await.number, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_validation_poll_ready_decides() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    drop(lent);

    assert_eq!(lend(&pool).await.number, 0);
    sleep(MINUTE).await;
}

//! What is known of a connection whose call through a hinge nobody waits for any more.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::ready;

use common::{Ask, Broken, Connection, Layer1, SECOND, Server, TARGET, TestPool};
use common::{ask, check_out, lend, settle};
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn it_proves_that_it_lives_before_it_is_lent_again() {
    let server = Server::new();
    let layer = Layer1::new(1).validate(alive_after_a_second);
    let pool = layer.layer(server.maker());
    let hanging = hang(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    drop(hanging);
    settle().await;

    assert_pending!(waiter.poll(), "lent before it has proved anything");
    sleep(2 * SECOND).await;
    assert_eq!(assert_ready_ok!(waiter.poll()).number, 0);
    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shared_one_is_lent_to_nobody_else_until_it_has_proved_that_it_lives() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server
        .sharing(Layer1::new(1))
        .validate(alive_after_a_second);
    let pool = layer.layer(server.maker());
    let _other = lend(&pool).await;

    drop(hang(&pool).await);
    let mut newcomer = task::spawn(check_out(&pool));
    assert_pending!(newcomer.poll(), "lent before it has proved anything");
    settle().await;
    assert_pending!(newcomer.poll());
    sleep(2 * SECOND).await;

    assert_eq!(assert_ready_ok!(newcomer.poll()).number, 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_proves_nothing_is_not_lent_again() {
    let server = Server::new();
    let pool = pool_of_the_dead(&server);

    drop(hang(&pool).await);

    assert_eq!(lend(&pool).await.number, 1);
    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.invalid, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_is_unanswered_too() {
    let server = Server::new();
    let pool = pool_of_the_dead(&server);
    let mut service = pool.service(TARGET);

    drop(service.ready().await.unwrap().call(Ask::Number));

    assert_eq!(lend(&pool).await.number, 1);
    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn one_whose_calls_were_answered_has_nothing_to_prove() {
    let server = Server::new();
    let pool = pool_of_the_dead(&server);
    let mut service = pool.service(TARGET);

    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
    ask(&mut service, Ask::Fail).await.unwrap_err();
    settle().await;

    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
    assert_eq!(server.connects(), 1);
}

async fn alive_after_a_second(_: &Connection) -> Result<(), Broken> {
    sleep(SECOND).await;
    Ok(())
}

/// Its connections live, and cannot prove it.
fn pool_of_the_dead(server: &Server) -> TestPool {
    let layer = Layer1::new(1).validate(|_: &Connection| ready(Err::<(), _>(Broken)));
    layer.layer(server.maker())
}

/// A call that is under way, and will not be answered.
async fn hang(pool: &TestPool) -> task::Spawn<impl Future<Output = Result<usize, BoxError>>> {
    let mut service = pool.service(TARGET);
    let mut call = task::spawn(service.ready().await.unwrap().call(Ask::Hang));
    assert_pending!(call.poll());
    call
}

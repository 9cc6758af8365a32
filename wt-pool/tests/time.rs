//! What happens by itself as time goes by.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Ask, Layer1, MINUTE, SECOND, Server, TARGET, ask, check_out, lend, settle};
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, task};
use tower::Layer;

#[tokio::test(start_paused = true)]
async fn those_idle_for_too_long_are_closed_and_the_others_stay() {
    let server = Server::new();
    let pool = Layer1::new(3)
        .idle_timeout(Some(10 * SECOND))
        .layer(server.maker());
    let (one, two) = (lend(&pool).await, lend(&pool).await);
    drop(one);
    sleep(5 * SECOND).await;
    drop(two);

    sleep(5 * SECOND + Duration::from_millis(1)).await;
    settle().await;

    assert!(server.connection(0).is_gone());
    assert!(!server.connection(1).is_gone());
    assert_eq!(pool.stats().total.closed.idle, 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_lent_is_not_idle() {
    let server = Server::new();
    let pool = Layer1::new(1)
        .idle_timeout(Some(SECOND))
        .layer(server.maker());

    let lent = lend(&pool).await;
    sleep(MINUTE).await;
    settle().await;
    assert_eq!(server.open(), 1);
    drop(lent);
    sleep(SECOND / 2).await;
    settle().await;

    assert_eq!(server.open(), 1, "idle since it came back");
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_stays_an_eighth_longer_at_most() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server
        .sharing(Layer1::new(1))
        .idle_timeout(Some(80 * SECOND));
    let pool = layer.layer(server.maker());
    let lent = lend(&pool).await;
    sleep(200 * SECOND).await;
    drop(lent);

    sleep(79 * SECOND).await;
    settle().await;
    assert_eq!(server.open(), 1);
    sleep(11 * SECOND + Duration::from_millis(10)).await;
    settle().await;

    assert_eq!(server.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_that_is_used_in_between_stays() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server
        .sharing(Layer1::new(1))
        .idle_timeout(Some(8 * SECOND));
    let pool = layer.layer(server.maker());

    for _ in 0..100 {
        drop(lend(&pool).await);
        sleep(3 * SECOND).await;
    }

    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_a_lifetime_the_replacement_opens_first() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server
        .sharing(Layer1::new(1))
        .max_lifetime(Some(100 * SECOND));
    let pool = layer.layer(server.maker());
    let old = lend(&pool).await;
    server.delay(30 * SECOND);

    sleep(111 * SECOND).await;
    settle().await;
    let during = lend(&pool).await;
    assert_eq!(
        (during.number, server.connecting()),
        (0, 1),
        "used as ever meanwhile"
    );
    sleep(30 * SECOND).await;
    settle().await;

    assert_eq!(lend(&pool).await.number, 1);
    assert!(!server.connection(0).is_gone(), "it drains");
    drop((old, during));
    assert!(server.connection(0).is_gone());
    assert_eq!(pool.stats().total.closed.lifetime, 1);
}

#[tokio::test(start_paused = true)]
async fn exclusive_connections_are_replaced_too_while_the_limit_leaves_room() {
    let server = Server::new();
    let layer = Layer1::new(2).max_lifetime(Some(100 * SECOND));
    let pool = layer.idle_timeout(None).layer(server.maker());
    drop(lend(&pool).await);

    sleep(111 * SECOND).await;
    settle().await;

    assert!(server.connection(0).is_gone());
    assert_eq!(lend(&pool).await.number, 1);
    assert_eq!(server.most(), 2);
}

#[tokio::test(start_paused = true)]
async fn exclusive_connections_are_never_more_than_the_limit_while_they_are_replaced() {
    let server = Server::new();
    server.delay(SECOND);
    let layer = Layer1::new(2).max_lifetime(Some(5 * SECOND));
    let pool = layer.layer(server.maker());
    let mut service = pool.service(TARGET);
    let mut other = service.clone();
    let began = Instant::now();

    while began.elapsed() < MINUTE {
        let (one, two) = tokio::join!(ask(&mut service, Ask::Number), ask(&mut other, Ask::Number));
        one.unwrap();
        two.unwrap();
        sleep(SECOND / 10).await;
    }

    assert_eq!(server.most(), 2);
    assert!(server.connects() > 10);
}

#[tokio::test(start_paused = true)]
async fn nothing_fails_while_connections_are_replaced() {
    let server = Server::new();
    server.set_capacity(5);
    server.delay(SECOND);
    let layer = server
        .sharing(Layer1::new(1))
        .max_lifetime(Some(10 * SECOND));
    let pool = layer.layer(server.maker());
    let mut service = pool.service(TARGET);
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    ask(&mut service, Ask::Number).await.unwrap();

    while began.elapsed() < 5 * MINUTE {
        let asked = Instant::now();
        ask(&mut service, Ask::Number).await.unwrap();
        slowest = slowest.max(asked.elapsed());
        sleep(SECOND / 10).await;
    }

    assert_eq!(
        slowest,
        Duration::ZERO,
        "nobody has waited for a replacement"
    );
    assert_eq!(server.most(), 2);
    assert!(server.connects() > 20);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_fails_is_tried_again_and_the_old_one_stays() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server
        .sharing(Layer1::new(1))
        .max_lifetime(Some(10 * SECOND));
    let pool = layer.layer(server.maker());
    drop(lend(&pool).await);
    server.refuse(true);

    sleep(20 * SECOND).await;
    assert_eq!(lend(&pool).await.number, 0);
    assert!(server.connects() < 40, "at a pace");
    server.refuse(false);
    sleep(SECOND).await;
    settle().await;

    assert!(server.connection(0).is_gone());
    assert!(lend(&pool).await.number > 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_has_used_is_not_replaced() {
    let server = Server::new();
    let layer = Layer1::new(2).max_lifetime(Some(10 * SECOND));
    let pool = layer.layer(server.maker());
    pool.warm(TARGET, 1).await.unwrap();

    sleep(MINUTE).await;
    settle().await;

    assert_eq!((server.connects(), server.open()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn lifetimes_are_spread() {
    let server = Server::new();
    let layer = Layer1::new(100).max_lifetime(Some(100 * SECOND));
    let pool = layer.layer(server.maker());
    pool.warm(TARGET, 100).await.unwrap();

    sleep(89 * SECOND).await;
    settle().await;
    assert_eq!(server.open(), 100);
    sleep(11 * SECOND).await;
    settle().await;
    let half = server.open();
    sleep(11 * SECOND).await;
    settle().await;

    assert!((20..80).contains(&half), "{half}");
    assert_eq!(server.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_in_vain_is_told_after_the_acquire_timeout() {
    let server = Server::new();
    let layer = Layer1::new(1).acquire_timeout(Some(3 * SECOND));
    let pool = layer.layer(server.maker());
    let lent = lend(&pool).await;
    let began = Instant::now();
    let mut longer = task::spawn(check_out(&pool));

    let error = common::refusal(&pool).await;
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert_pending!(longer.poll());
    drop(lent);

    assert!(longer.is_woken(), "who has gone is passed over: {error}");
}

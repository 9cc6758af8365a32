//! Connections that are made before they are needed.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;
use std::pin::Pin;

use common::{Ask, Layer1, Refused, SECOND, Server, TARGET, settle};
use futures_core::Stream;
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, service_fn};
use wt_pool::{Pool, PoolError, PoolLayer, WarmAll};

#[tokio::test(start_paused = true)]
async fn a_warm_target_has_so_many_connections() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.exclusive(5);
    let began = Instant::now();

    pool.warm(TARGET, 3).await.unwrap();

    assert_eq!((pool.stats().total.idle, server.connects()), (3, 3));
    assert_eq!(began.elapsed(), SECOND, "at once, as for waiters");
    pool.warm(TARGET, 2).await.unwrap();
    assert_eq!(server.connects(), 3, "that was done already");
}

#[tokio::test(start_paused = true)]
async fn warming_keeps_to_the_limit() {
    let server = Server::new();
    let pool = server.exclusive(2);

    pool.warm(TARGET, 10).await.unwrap();

    assert_eq!(server.connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn shared_connections_are_warmed_one_after_another() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.shared(5);
    let began = Instant::now();

    pool.warm(TARGET, 3).await.unwrap();

    assert_eq!((server.connects(), began.elapsed()), (3, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn warming_fails_as_the_connect_does() {
    let server = Server::new();
    server.refuse(true);

    let error = server.exclusive(2).warm(TARGET, 2).await.unwrap_err();

    let PoolError::Connect(source) = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.downcast_ref(), Some(&Refused));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_warming_wants_no_more_connections() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.shared(5);
    let mut warm = task::spawn(pool.warm(TARGET, 5));
    assert_pending!(warm.poll());
    settle().await;

    drop(warm);
    sleep(10 * SECOND).await;

    assert_eq!((server.connects(), pool.stats().total.idle), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn each_target_has_its_own_result() {
    let server = Server::new();
    let maker = server.maker();
    let maker = service_fn(move |target: u16| {
        let made = maker.clone().call(target);
        async move {
            if target == 2 {
                Err(Refused)
            } else {
                made.await
            }
        }
    });
    let pool: Pool<_, u16, Ask> = PoolLayer::new(1).layer(maker);

    let mut all = collect(pool.warm_all([1, 2, 3])).await;
    all.sort_by_key(|(target, _)| *target);

    assert!(matches!(
        &all[..],
        [(1, Ok(())), (2, Err(PoolError::Connect(_))), (3, Ok(()))]
    ));
}

#[tokio::test(start_paused = true)]
async fn ten_targets_are_warmed_at_once_unless_told_otherwise() {
    let server = Server::new();
    server.delay(SECOND);
    let pool = server.exclusive(1);
    let began = Instant::now();

    let all = collect(pool.warm_all(0..30)).await;
    assert_eq!(
        (all.len(), began.elapsed(), server.most()),
        (30, 3 * SECOND, 30)
    );
    let all = collect(pool.warm_all(30..60).at_once(30)).await;

    assert_eq!((all.len(), began.elapsed()), (30, 4 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn an_unpolled_warming_begins_nothing() {
    let server = Server::new();
    let pool = Layer1::new(1).layer(server.maker());

    drop(pool.warm_all([TARGET]));
    settle().await;

    assert_eq!(server.connects(), 0);
}

async fn collect<T>(mut all: WarmAll<T>) -> Vec<(T, Result<(), PoolError>)> {
    let mut results = Vec::new();
    while let Some(result) = poll_fn(|cx| Pin::new(&mut all).poll_next(cx)).await {
        results.push(result);
    }
    results
}

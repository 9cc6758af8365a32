//! Connects that fail, and connections that are of no use.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Layer1, Refused, SECOND, Server, TARGET, check_out, lend, refusal, settle};
use tokio::time::{Instant, sleep, timeout};
use tokio_test::{assert_pending, assert_ready_err, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_pool::{Pool, PoolError, PoolLayer};

#[tokio::test(start_paused = true)]
async fn a_connect_that_fails_once_fails_for_all_who_waited() {
    let server = Server::new();
    server.delay(SECOND);
    server.refuse(true);
    let pool = server.shared(5);

    let waiters: Vec<_> = (0..100)
        .map(|_| tokio::spawn(pool.clone().oneshot(TARGET)))
        .collect();
    let began = Instant::now();
    let mut sources = Vec::new();
    for waiter in waiters {
        let PoolError::Connect(source) = waiter.await.unwrap().unwrap_err() else {
            panic!("failed in another way");
        };
        assert_eq!(source.downcast_ref(), Some(&Refused));
        sources.push(source);
    }

    assert_eq!(server.connects(), 1, "nobody tries again in turn");
    assert_eq!(began.elapsed(), SECOND);
    assert!(
        sources
            .iter()
            .all(|source| Arc::ptr_eq(source, &sources[0]))
    );
}

#[tokio::test(start_paused = true)]
async fn exclusive_waiters_do_not_try_again_in_turn_either() {
    let server = Server::new();
    server.delay(SECOND);
    server.refuse(true);
    let pool = server.exclusive(3);

    let mut waiters: Vec<_> = (0..100).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    sleep(SECOND).await;
    settle().await;

    for waiter in &mut waiters {
        let error = assert_ready_err!(waiter.poll());
        assert!(matches!(error, PoolError::Connect(_)), "{error:?}");
    }
    assert_eq!(server.connects(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_each_cause_once() {
    let server = Server::new();
    server.refuse(true);

    let error = refusal(&server.exclusive(1)).await;

    assert_eq!(error.to_string(), "could not connect");
    assert_eq!(error.source().unwrap().to_string(), "refused");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_is_tried_at_a_pace() {
    let server = Server::new();
    server.refuse(true);
    let pool = server.exclusive(10);
    let began = Instant::now();
    let mut tries = 0;

    while began.elapsed() < 10 * SECOND {
        let _refused = refusal(&pool).await;
        tries += 1;
    }

    assert_eq!(server.connects(), tries);
    // 50 ms doubled to 500 ms, of which up to a half is left out.
    assert!((20..50).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn the_first_connect_after_a_failure_is_alone() {
    let server = Server::new();
    server.refuse(true);
    let pool = server.exclusive(10);
    let _refused = refusal(&pool).await;
    server.delay(SECOND);

    let mut waiters: Vec<_> = (0..5).map(|_| task::spawn(check_out(&pool))).collect();
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    sleep(SECOND / 10).await;
    settle().await;

    assert_eq!(server.connecting(), 1);
}

#[tokio::test(start_paused = true)]
async fn delays_are_those_of_the_backoff_and_the_last_one_goes_on() {
    let server = Server::new();
    server.refuse(true);
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&begun);
    let layer = Layer1::new(1).backoff(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        [SECOND, 3 * SECOND].into_iter()
    });
    let pool = layer.layer(server.maker());
    let mut at = Vec::new();
    let began = Instant::now();

    for _ in 0..4 {
        let _refused = refusal(&pool).await;
        at.push(began.elapsed().as_secs());
    }
    server.refuse(false);
    drop(lend(&pool).await);
    assert_eq!(began.elapsed().as_secs(), 10);
    server.refuse(true);
    lend(&pool).await.discard();
    let _refused = refusal(&pool).await;

    assert_eq!(at, [0, 1, 4, 7]);
    assert_eq!(
        begun.load(Ordering::SeqCst),
        2,
        "it begins anew after a success"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backoff_without_delays_is_no_spin() {
    let server = Server::new();
    server.refuse(true);
    let pool = Layer1::new(1).backoff(iter::empty).layer(server.maker());
    let mut service = pool.service(TARGET);

    assert!(timeout(10 * SECOND, service.ready()).await.is_err());

    assert_eq!(server.connects(), 20, "500 ms each");
}

#[tokio::test(start_paused = true)]
async fn connections_that_die_at_once_are_made_at_a_pace_too() {
    let server = Server::new();
    server.stillborn(true);
    let pool = server.exclusive(1);

    let error = refusal(&pool).await;

    assert!(matches!(error, PoolError::TimedOut { .. }), "{error:?}");
    let connects = server.connects();
    assert!((50..200).contains(&connects), "{connects} in 30 s");
    assert_eq!(server.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_maker_that_panics_fails_those_who_wait() {
    let maker = service_fn(|_: u16| async {
        let number = "none".parse::<u32>().unwrap();
        Ok::<_, Refused>(service_fn(
            move |(): ()| async move { Ok::<_, Refused>(number) },
        ))
    });
    let mut pool: Pool<_, u16, ()> = PoolLayer::new(1).layer(maker);

    let error = pool.call(TARGET).await.unwrap_err();

    assert!(matches!(error, PoolError::Connect(_)), "{error:?}");
    assert_eq!(pool.stats().total.connecting, 0);
}

#[tokio::test(start_paused = true)]
async fn the_maker_that_is_ready_is_the_one_that_is_called() {
    let (maker, mut handle) = tower_test::mock::pair::<u16, common::Connection>();
    handle.allow(0);
    let mut pool: Pool<_, u16, common::Ask> = PoolLayer::new(1).layer(maker);
    let mut waiter = task::spawn(pool.call(TARGET));
    assert_pending!(waiter.poll());
    settle().await;
    let mut request = task::spawn(handle.next_request());
    assert!(request.poll().is_pending(), "called without being ready");
    drop(request);

    handle.allow(1);
    let (target, respond) = handle.next_request().await.unwrap();
    respond.send_error("no");

    assert_eq!(target, TARGET);
    let error = waiter.await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "no");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_target_that_recovers_are_served() {
    let server = Server::new();
    server.refuse(true);
    let layer = Layer1::new(1).backoff(|| iter::repeat(Duration::from_secs(5)));
    let pool = layer.layer(server.maker());
    let _refused = refusal(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    server.refuse(false);
    sleep(4 * SECOND).await;
    assert_pending!(waiter.poll());
    sleep(SECOND).await;
    settle().await;

    assert!(waiter.is_woken());
    assert_eq!(waiter.await.unwrap().number, 0);
}

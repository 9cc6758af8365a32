//! A pool bound to one target: tower's contract.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use common::{Ask, Broken, Held, Layer1, Refused, SECOND, Server, TARGET};
use common::{ask, check_out, lend, settle};
use tokio::time::{Instant, sleep, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::PoolError;

#[tokio::test(start_paused = true)]
async fn it_sends_each_request_on_a_connection_of_its_target() {
    let server = Server::new();
    let mut service = server.exclusive(2).service(TARGET);

    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);

    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_connections_own_error_passes_unchanged() {
    let server = Server::new();
    let mut service = server.exclusive(1).service(TARGET);

    let error = ask(&mut service, Ask::Fail).await.unwrap_err();

    assert_eq!(error.downcast_ref(), Some(&Broken));
}

#[tokio::test(start_paused = true)]
async fn polling_twice_reserves_once() {
    let server = Server::new();
    let pool = server.exclusive(2);
    let mut service = pool.service(TARGET);

    service.ready().await.unwrap();
    service.ready().await.unwrap();

    assert_eq!(pool.stats().total.lent, 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_once_and_does_not_wait_has_a_connection_made() {
    // No connect had begun before whoever asked was gone: a balancer that asks by a clone, while
    // others are ready, was told for ever that this one is not.
    let server = Server::new();
    let pool = server.exclusive(1);
    let service = pool.service(TARGET);

    let mut asks = task::spawn(service.clone());
    assert_pending!(asks.enter(|cx, mut clone| clone.poll_ready(cx)));
    drop(asks);
    settle().await;

    assert_eq!(server.connects(), 1);
    let mut asks = task::spawn(service.clone());
    assert_ready_ok!(asks.enter(|cx, mut clone| clone.poll_ready(cx)));
    drop(asks);
    settle().await;
    assert_eq!(server.connects(), 1, "one is enough");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_nobody_can_ask_again_is_not_connected_to() {
    // A balancer had asked by a clone, and dropped the backend: one more connection was made, for
    // nobody.
    for clone_last in [false, true] {
        let server = Server::new();
        let pool = server.exclusive(1);
        let service = pool.service(TARGET);
        let mut asks = task::spawn(service.clone());
        assert_pending!(asks.enter(|cx, mut clone| clone.poll_ready(cx)));

        if clone_last {
            drop(service);
            drop(asks);
        } else {
            drop(asks);
            drop(service);
        }
        settle().await;

        assert_eq!(server.connects(), 0);
        assert!(pool.stats().targets.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_backend_that_is_removed_is_left_alone() {
    let server = Server::new();
    server.refuse(true);
    let pool = server.exclusive(1);
    let service = pool.service(TARGET);
    let mut asks = task::spawn(service.clone());
    assert_pending!(asks.enter(|cx, mut clone| clone.poll_ready(cx)));
    settle().await;
    assert_eq!(server.connects(), 1);

    drop((asks, service));
    sleep(2 * SECOND).await;

    assert_eq!(server.connects(), 1);
    assert!(pool.stats().targets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ready_gives_the_slot_back() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let mut service = pool.service(TARGET);
    service.ready().await.unwrap();
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    drop(service);

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_clone_has_no_slot_and_takes_none_away() {
    let server = Server::new();
    let mut service = server.exclusive(1).service(TARGET);
    service.ready().await.unwrap();

    let mut clone = service.clone();
    let mut waiting = task::spawn(poll_fn(move |cx| clone.poll_ready(cx)));

    assert_pending!(waiting.poll());
    assert_eq!(service.call(Ask::Number).await.unwrap(), 0);
    assert!(waiting.is_woken());
    assert_ready_ok!(waiting.poll());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_answer_gives_the_slot_back() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let mut service = pool.service(TARGET);
    let mut hanging = task::spawn(service.ready().await.unwrap().call(Ask::Hang));
    assert_pending!(hanging.poll());
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    drop(hanging);

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_held_for_as_long_as_the_completion_says() {
    let server = Server::new();
    let held = Held::default();
    let pool = Layer1::new(1)
        .completion(held.clone())
        .layer(server.maker());
    let mut service = pool.service(TARGET);
    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
    let mut waiting = task::spawn(poll_fn(|cx| service.poll_ready(cx)));
    assert_pending!(waiting.poll());

    held.clear();

    assert!(waiting.is_woken());
    assert_ready_ok!(waiting.poll());
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_only_when_the_connection_is() {
    let server = Server::new();
    let pool = server.exclusive(1);
    drop(lend(&pool).await);
    server.connection(0).busy(true);
    let mut service = pool.service(TARGET);
    let mut waiting = task::spawn(poll_fn(|cx| service.poll_ready(cx)));
    assert_pending!(waiting.poll());

    server.connection(0).busy(false);

    assert!(waiting.is_woken());
    assert_ready_ok!(waiting.poll());
}

#[tokio::test(start_paused = true)]
async fn it_takes_another_connection_if_its_own_dies_before_the_call() {
    let server = Server::new();
    let mut service = server.exclusive(1).service(TARGET);
    service.ready().await.unwrap();

    server.connection(0).kill();

    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_ready_for_long_has_not_waited() {
    // The deadline of the first connect went on while the service was held ready, so that it was
    // ready, and failed, at once when the connection had died.
    let server = Server::new();
    server.delay(SECOND);
    let mut service = server.exclusive(1).service(TARGET);
    service.ready().await.unwrap();
    sleep(60 * SECOND).await;
    server.delay(Duration::ZERO);
    server.refuse(true);
    server.connection(0).kill();

    assert!(timeout(29 * SECOND, service.ready()).await.is_err());

    server.refuse(false);
    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_ready_for_long_waits_for_a_busy_connection() {
    let server = Server::new();
    server.delay(SECOND);
    let mut service = server.exclusive(1).service(TARGET);
    service.ready().await.unwrap();
    sleep(60 * SECOND).await;
    server.connection(0).busy(true);

    assert!(timeout(29 * SECOND, service.ready()).await.is_err());

    server.connection(0).busy(false);
    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_is_pending_and_the_place_in_line_is_kept() {
    let server = Server::new();
    server.refuse(true);
    let pool = server.exclusive(1);
    let mut service = pool.service(TARGET);
    let mut patient = task::spawn(poll_fn(move |cx| service.poll_ready(cx)));
    assert_pending!(patient.poll());
    sleep(10 * SECOND).await;
    assert_pending!(patient.poll());
    let mut later = task::spawn(check_out(&pool));
    assert_pending!(later.poll());

    server.refuse(false);
    sleep(SECOND).await;
    settle().await;

    assert!(patient.is_woken());
    assert_ready_ok!(patient.poll());
    assert_pending!(later.poll());
}

#[tokio::test(start_paused = true)]
async fn a_dead_target_is_pending_until_the_acquire_timeout_and_then_says_why() {
    let server = Server::new();
    server.refuse(true);
    let mut service = server.exclusive(1).service(TARGET);
    let began = Instant::now();

    assert!(
        timeout(29 * SECOND, service.ready()).await.is_err(),
        "ready too early"
    );
    let ready = timeout(2 * SECOND, service.ready()).await;
    ready.expect("it waits for ever").unwrap();
    assert_eq!(began.elapsed().as_secs(), 30);
    let error = service.call(Ask::Number).await.unwrap_err();

    let Some(PoolError::Connect(source)) = error.downcast_ref() else {
        panic!("{error:?}");
    };
    assert_eq!(source.downcast_ref(), Some(&Refused));
    let again = timeout(29 * SECOND, service.ready()).await;
    assert!(again.is_err(), "it is ready once, and waits anew");
}

#[tokio::test(start_paused = true)]
async fn a_dead_target_is_not_polled_all_the_time() {
    let server = Server::new();
    server.refuse(true);
    let mut service = server.exclusive(1).service(TARGET);
    let mut polls = 0;

    let waiting = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 10, "it spins");
        service.poll_ready(cx)
    });
    let mut waiting = pin!(waiting);
    assert!(timeout(29 * SECOND, &mut waiting).await.is_err());

    let connects = server.connects();
    assert!((50..120).contains(&connects), "{connects} connects in 29 s");
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_is_pending_until_the_acquire_timeout_and_then_says_so() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let _lent = lend(&pool).await;
    let mut service = pool.service(TARGET);

    let answer = timeout(31 * SECOND, ask(&mut service, Ask::Number)).await;
    let error = answer.expect("it waits for ever").unwrap_err();

    let Some(PoolError::TimedOut {
        waited,
        in_use,
        connecting,
        ..
    }) = error.downcast_ref()
    else {
        panic!("{error:?}");
    };
    assert_eq!((waited.as_secs(), *in_use, *connecting), (30, 1, 0));
    assert_eq!(pool.stats().total.timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stays_busy_is_given_up_at_the_acquire_timeout() {
    let server = Server::new();
    let pool = server.exclusive(1);
    drop(lend(&pool).await);
    server.connection(0).busy(true);
    let mut service = pool.service(TARGET);
    let began = Instant::now();

    let error = ask(&mut service, Ask::Number).await.unwrap_err();

    assert_eq!(began.elapsed().as_secs(), 30);
    assert!(error.is::<PoolError>(), "{error:?}");
    assert_eq!(pool.stats().total.lent, 0);
}

#[tokio::test(start_paused = true)]
async fn one_too_many_is_told_so_by_its_call() {
    let server = Server::new();
    let pool = Layer1::new(1).max_waiters(1).layer(server.maker());
    let _lent = lend(&pool).await;
    let mut first = task::spawn(check_out(&pool));
    assert_pending!(first.poll());
    let mut service = pool.service(TARGET);

    let error = ask(&mut service, Ask::Number).await.unwrap_err();

    assert!(matches!(error.downcast_ref(), Some(PoolError::QueueFull)));
}

#[tokio::test(start_paused = true)]
async fn it_is_gone_for_good_once_the_pool_is_closed() {
    let server = Server::new();
    let pool = server.exclusive(1);
    let _lent = lend(&pool).await;
    let mut waiting = pool.service(TARGET);
    let mut idle = waiting.clone();
    let mut waiting = task::spawn(poll_fn(move |cx| waiting.poll_ready(cx)));
    assert_pending!(waiting.poll());

    pool.close();

    assert!(waiting.is_woken());
    let told = waiting.await.unwrap_err();
    assert!(matches!(told.downcast_ref(), Some(PoolError::Closed)));
    let found = idle.ready().await.err().unwrap();
    assert!(matches!(found.downcast_ref(), Some(PoolError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_pool_open() {
    let server = Server::new();
    let mut service = server.exclusive(1).service(TARGET);

    settle().await;

    assert_eq!(ask(&mut service, Ask::Number).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "called without being ready")]
async fn calling_it_unready_panics() {
    let server = Server::new();

    drop(server.exclusive(1).service(TARGET).call(Ask::Number));
}

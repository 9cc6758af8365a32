//! Limits, their defaults, and what is refused.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::panic::catch_unwind;
use std::task::Poll;
use std::time::Duration;

use common::{Ask, Broken, Connection, Layer1, SECOND, Server, TARGET, ask, check_out, lend};
use common::{refusal, settle};
use tokio::time::{Instant, sleep};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service, ServiceExt};
use wt_pool::{IdleLayer, PoolError};

#[tokio::test(start_paused = true)]
async fn defaults_are_as_documented() {
    let server = Server::new();
    server.delay(40 * SECOND);
    let pool = Layer1::default().layer(server.maker());
    assert_eq!(pool.stats().max_connections, 10);

    let began = Instant::now();
    let mut waiters: Vec<_> = (0..1024).map(|_| task::spawn(check_out(&pool))).collect();
    let one_too_many = refusal(&pool).await;
    for waiter in &mut waiters {
        assert_pending!(waiter.poll());
    }
    settle().await;
    assert_eq!(server.connecting(), 10);
    let last = waiters.pop().unwrap().await.unwrap_err();

    assert!(
        matches!(one_too_many, PoolError::QueueFull),
        "{one_too_many:?}"
    );
    assert!(matches!(last, PoolError::TimedOut { .. }), "{last:?}");
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn the_default_idle_timeout_is_300_s() {
    let server = Server::new();
    let pool = server.exclusive(1);
    drop(lend(&pool).await);

    sleep(299 * SECOND).await;
    settle().await;
    assert_eq!(server.open(), 1);
    sleep(SECOND + Duration::from_millis(1)).await;
    settle().await;

    assert_eq!(server.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn connections_are_swept_each_60_s_by_default() {
    let server = Server::new();
    let pool = server.exclusive(1);
    drop(lend(&pool).await);
    let polls = server.connection(0).polls();

    sleep(59 * SECOND).await;
    settle().await;
    assert_eq!(server.connection(0).polls(), polls);
    sleep(SECOND + Duration::from_millis(1)).await;
    settle().await;

    assert_eq!(server.connection(0).polls(), polls + 1);
}

#[tokio::test(start_paused = true)]
async fn waiting_without_limit_is_a_choice() {
    let server = Server::new();
    let pool = Layer1::new(1).acquire_timeout(None).layer(server.maker());
    let lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    sleep(100_000 * SECOND).await;
    assert!(!waiter.is_woken());
    drop(lent);

    let _lent = assert_ready_ok!(waiter.poll());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_after_so_many_uses() {
    let server = Server::new();
    let pool = Layer1::new(1).max_uses(Some(3)).layer(server.maker());
    let mut service = pool.service(TARGET);
    let mut numbers = Vec::new();

    for _ in 0..7 {
        numbers.push(ask(&mut service, Ask::Number).await.unwrap());
    }

    assert_eq!(numbers, [0, 0, 0, 1, 1, 1, 2]);
    assert_eq!(pool.stats().total.closed.uses, 2);
}

#[tokio::test(start_paused = true)]
async fn a_shared_connection_is_closed_after_so_many_uses() {
    let server = Server::new();
    server.set_capacity(10);
    let layer = server.sharing(Layer1::new(2)).max_uses(Some(3));
    let pool = layer.layer(server.maker());
    let mut lent = Vec::new();

    for _ in 0..4 {
        lent.push(lend(&pool).await);
    }

    let numbers: Vec<_> = lent.iter().map(|lent| lent.number).collect();
    assert_eq!(numbers, [0, 0, 0, 1]);
    lent.truncate(2);
    assert!(!server.connection(0).is_gone());
    lent.clear();
    assert!(server.connection(0).is_gone());
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_used_up_count_as_long_as_they_are_lent() {
    // They did not, so that long sessions opened connections without end.
    let server = Server::new();
    server.set_capacity(10);
    let layer = server.sharing(Layer1::new(2)).max_uses(Some(1));
    let pool = layer.layer(server.maker());
    let (one, _two) = (lend(&pool).await, lend(&pool).await);

    let mut third = task::spawn(check_out(&pool));
    assert_pending!(third.poll());
    settle().await;
    assert_pending!(third.poll());
    drop(one);
    settle().await;

    let _third = assert_ready_ok!(third.poll());
    assert_eq!((server.connects(), server.most()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lent_connection_whose_lifetime_is_over_counts_until_it_comes_back() {
    let server = Server::new();
    let layer = Layer1::new(1).max_lifetime(Some(10 * SECOND));
    let pool = layer.layer(server.maker());
    let lent = lend(&pool).await;
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    sleep(15 * SECOND).await;
    settle().await;
    assert_pending!(waiter.poll());
    drop(lent);
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
    assert_eq!(server.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_use_that_did_not_take_place_is_not_counted() {
    let server = Server::new();
    server.set_capacity(10);
    let layer = server.sharing(Layer1::new(1)).max_uses(Some(2));
    let pool = layer.layer(server.maker());
    let _first = lend(&pool).await;

    drop(check_out(&pool));

    assert_eq!(lend(&pool).await.number, 0);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_kept_ready() {
    let server = Server::new();
    let pool = Layer1::new(4).min_idle(2).layer(server.maker());

    let _lent = lend(&pool).await;
    settle().await;
    assert_eq!(pool.stats().total.idle, 2);
    let _lent = lend(&pool).await;
    settle().await;

    assert_eq!(pool.stats().total.idle, 2);
    let _lent = lend(&pool).await;
    settle().await;
    assert_eq!(
        (pool.stats().total.idle, server.most()),
        (1, 4),
        "within the limit"
    );
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_kept_ready_in_shared_mode_too() {
    let server = Server::new();
    server.set_capacity(5);
    let layer = server.sharing(Layer1::new(4)).min_idle(1);
    let pool = layer.layer(server.maker());

    let _lent = lend(&pool).await;
    settle().await;

    assert_eq!(pool.stats().total.idle, 1);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_that_are_to_be_kept_outlive_the_idle_timeout() {
    let server = Server::new();
    let pool = Layer1::new(4).min_idle(1).layer(server.maker());
    drop([lend(&pool).await, lend(&pool).await, lend(&pool).await]);

    sleep(1000 * SECOND).await;
    settle().await;

    assert_eq!(pool.stats().total.idle, 1);
    assert!(server.connects() <= 4);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_never_reached_is_not_kept_ready() {
    let server = Server::new();
    server.refuse(true);
    let pool = Layer1::new(4).min_idle(2).layer(server.maker());

    let _refused = refusal(&pool).await;
    sleep(100 * SECOND).await;

    assert_eq!(server.connects(), 1);
    assert!(pool.stats().targets.is_empty());
}

#[test]
fn zero_is_refused_where_it_makes_no_sense() {
    let zero = Duration::ZERO;
    type Setter = fn(Duration) -> Layer1;
    let refused: [(&str, Setter); 9] = [
        ("connections", |_| Layer1::new(0)),
        ("total", |_| Layer1::new(1).max_total(0)),
        ("waiters", |_| Layer1::new(1).max_waiters(0)),
        ("acquire timeout", |zero| {
            Layer1::new(1).acquire_timeout(Some(zero))
        }),
        ("idle timeout", |zero| {
            Layer1::new(1).idle_timeout(Some(zero))
        }),
        ("sweep", |zero| Layer1::new(1).sweep_interval(zero)),
        ("lifetime", |zero| Layer1::new(1).max_lifetime(Some(zero))),
        ("uses", |_| Layer1::new(1).max_uses(Some(0))),
        ("connects", |_| Layer1::new(1).connects_at_once(0)),
    ];
    for (what, layer) in refused {
        assert!(catch_unwind(|| layer(zero)).is_err(), "{what}");
    }
    assert!(catch_unwind(|| Layer1::new(1).min_idle(2)).is_err());
    assert!(catch_unwind(|| IdleLayer::new(zero, || {})).is_err());
    let server = Server::new();
    let pool = server.exclusive(1);
    let at_once = std::panic::AssertUnwindSafe(|| drop(pool.warm_all([TARGET]).at_once(0)));
    assert!(catch_unwind(at_once).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_being_validated_counts_whatever_ends_it_meanwhile() {
    // Its lifetime made room for another, while it went on to prove that it lives.
    let server = Server::new();
    let layer = Layer1::new(1)
        .max_lifetime(Some(10 * SECOND))
        .validate(|_: &Connection| async {
            sleep(20 * SECOND).await;
            Ok::<_, Broken>(())
        });
    let pool = layer.layer(server.maker());
    let mut lent = lend(&pool).await;
    drop(lent.ready().await.unwrap().call(Ask::Hang));
    drop(lent);
    let mut waiter = task::spawn(check_out(&pool));
    assert_pending!(waiter.poll());

    sleep(15 * SECOND).await;
    settle().await;
    assert_pending!(waiter.poll());
    assert_eq!((server.open(), pool.stats().total.open), (1, 1));
    sleep(6 * SECOND).await;
    settle().await;

    assert_eq!(assert_ready_ok!(waiter.poll()).number, 1);
    assert_eq!(server.most(), 1);
    assert_eq!(pool.stats().total.closed.lifetime, 1);
}

#[tokio::test(start_paused = true)]
async fn discarded_connections_that_others_use_are_no_more_than_the_limit() {
    // They did not count at all, however many there were.
    let server = Server::new();
    server.set_capacity(2);
    let pool = server.shared(2);
    let mut sessions = Vec::new();

    for _ in 0..10 {
        let mut one = task::spawn(check_out(&pool));
        let mut two = task::spawn(check_out(&pool));
        sleep(SECOND).await;
        if let (Poll::Ready(one), Poll::Ready(two)) = (one.poll(), two.poll()) {
            one.unwrap().discard();
            sessions.push(two.unwrap());
        }
    }
    assert_eq!((sessions.len(), server.open()), (4, 4));
    sessions.truncate(2);

    let _lent = lend(&pool).await;
    assert!(server.most() <= 4);
}

//! Callers that come, wait, give up, use, discard and go, in any order, on several threads and with
//! connects that fail: in the end nothing is lost, and all who stayed were served.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Ask, Layer1, Server, TestPool, check_out, settle};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tower::{Layer, Service};
use wt_pool::PoolError;

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_in_a_storm_on_exclusive_connections() {
    for seed in 0..20 {
        let server = Server::new();
        let layer = Layer1::new(4).max_total(6).min_idle(1);
        let pool = layer.layer(server.maker());
        storm(seed, &server, &pool, 6).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_in_a_storm_on_shared_connections() {
    for seed in 0..20 {
        let server = Server::new();
        server.set_capacity(3);
        let layer = server.sharing(Layer1::new(4)).max_uses(Some(50));
        let pool = layer.layer(server.maker());
        storm(seed, &server, &pool, usize::MAX).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_between_threads() {
    let server = Server::new();
    let pool = server.exclusive(3);

    let callers = (0..16_u64).map(|seed| tokio::spawn(call(seed, pool.clone())));
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }

    let total = pool.stats().total;
    assert_eq!((total.lent, total.waiting), (0, 0));
    assert!(server.most() <= 3);
    // A connect that nobody waits for any more may be under way, and joins the stock.
    let joined = async {
        while server.open() != pool.stats().total.open {
            yield_now().await;
        }
    };
    let joined = timeout(Duration::from_secs(20), joined).await;
    joined.expect("a connection is lost");
}

/// Many short lives, without a pause.
async fn call(seed: u64, pool: TestPool) {
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..2000 {
        let mut checkout = Box::pin(check_out(&pool));
        let mut cx = Context::from_waker(Waker::noop());
        if rng.u32(..3) == 0 {
            let polled = rng.bool().then(|| checkout.as_mut().poll(&mut cx));
            drop(polled);
            continue;
        }
        let lent = checkout.await.unwrap();
        match rng.u32(..20) {
            0 => lent.discard(),
            1 => yield_now().await,
            _ => drop(lent),
        }
    }
}

async fn storm(seed: u64, server: &Server, pool: &TestPool, max: usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut callers = Vec::new();
    for _ in 0..300 {
        callers.push(tokio::spawn(one(rng.fork(), pool.clone())));
        server.delay(Duration::from_millis(rng.u64(..30)));
        server.refuse(rng.u32(..10) == 0);
        sleep(Duration::from_millis(rng.u64(..10))).await;
    }
    server.refuse(false);
    for caller in callers {
        caller.await.unwrap();
    }
    sleep(Duration::from_secs(2)).await;
    settle().await;

    let total = pool.stats().total;
    assert_eq!(
        (total.lent, total.waiting, total.connecting),
        (0, 0, 0),
        "seed {seed}"
    );
    assert_eq!(total.open, server.open(), "seed {seed}");
    assert!(server.most() <= max, "seed {seed}: {}", server.most());
    pool.close();
    settle().await;
    assert_eq!(
        (server.open(), pool.stats().targets.len()),
        (0, 0),
        "seed {seed}"
    );
}

async fn one(mut rng: fastrand::Rng, mut pool: TestPool) {
    let target = rng.u16(..3);
    let patience = Duration::from_millis(rng.u64(1..200));
    let lent = match timeout(patience, pool.call(target)).await {
        Ok(Ok(lent)) => lent,
        Ok(Err(PoolError::Connect(_))) | Err(_) => return,
        Ok(Err(error)) => panic!("{error:?}"),
    };
    let mut lent = lent;
    sleep(Duration::from_millis(rng.u64(..20))).await;
    let mut cx = Context::from_waker(Waker::noop());
    let ready: Poll<_> = lent.poll_ready(&mut cx);
    if ready.is_ready() {
        drop(lent.call(Ask::Hang));
    }
    match rng.u32(..10) {
        0 => lent.discard(),
        1 => lent.handle.kill(),
        _ => {}
    }
}

//! The end of a pool beside those who come, wait, give up and go, on other threads.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use common::{Server, TestPool, refusal};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout;
use tower::Service;
use wt_pool::PoolError;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_is_lent_one_or_told_and_nothing_is_left() {
    for round in 0..200 {
        let server = Server::new();
        server.set_capacity(2);
        let pool = if round % 2 == 0 {
            server.exclusive(1)
        } else {
            server.shared(1)
        };
        let served = Arc::new(AtomicUsize::new(0));
        let caller = |seed| tokio::spawn(call(seed, pool.clone(), Arc::clone(&served)));
        let callers: Vec<_> = (0..8).map(caller).collect();
        while served.load(Ordering::SeqCst) < round {
            yield_now().await;
        }

        pool.close();

        let all = async {
            for caller in callers {
                caller.await.unwrap();
            }
            // What was begun before ends by itself, and takes along what it made too late.
            while Handle::current().metrics().num_alive_tasks() > 0 {
                yield_now().await;
            }
        };
        let ended = timeout(Duration::from_secs(20), all).await;
        ended.unwrap_or_else(|_| panic!("round {round}: {:?}", pool.stats().total));
        let total = pool.stats().total;
        assert_eq!((total.lent, total.waiting, total.connecting), (0, 0, 0));
        assert_eq!((total.open, server.open()), (0, 0));
        assert_eq!(total.opened, total.closed.sum());
        assert!(matches!(refusal(&pool).await, PoolError::Closed));
    }
}

/// Comes again and again, until it is told that the pool is closed.
async fn call(seed: u64, mut pool: TestPool, served: Arc<AtomicUsize>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    loop {
        let new = rng.u32(..4) == 0;
        let mut checkout = pool.call(if new { rng.u16(..) } else { rng.u16(..3) });
        if rng.u32(..4) == 0 {
            let mut cx = Context::from_waker(Waker::noop());
            drop(Pin::new(&mut checkout).poll(&mut cx));
            continue;
        }
        match checkout.await {
            Ok(_lent) => {
                served.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
            Err(PoolError::Closed) => return,
            Err(error) => panic!("{error:?}"),
        }
    }
}

//! No caller's code runs under a lock of the pool: each piece of it asks the pool for its figures,
//! which takes every lock there is, and would wait for itself for ever.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::hash::{Hash, Hasher};
use std::iter;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{SECOND, settle};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};
use tower::load::TrackCompletion;
use tower::{Layer, Service};
use wt_pool::{IdleHandle, IdleLayer, Pool, PoolLayer};

type Pools = Pool<Maker, Target, (), Completion>;

/// There as long as there is a pool to ask.
static POOL: Mutex<Option<Pools>> = Mutex::new(None);

/// There as long as there is a service whose use is tracked.
static IDLE: Mutex<Option<IdleHandle>> = Mutex::new(None);

/// Takes every lock of the pool, if it is one's turn, and that of the tracked service.
fn intrude() {
    let pool = POOL.try_lock().ok().and_then(|mut pool| pool.take());
    if let Some(pool) = pool {
        drop(pool.stats());
        let _figures = pool.stats_of(&Target(99));
        *POOL.lock().unwrap() = Some(pool);
    }
    let idle = IDLE.lock().unwrap().clone();
    if let Some(idle) = idle {
        let _figures = (idle.in_flight(), idle.last_activity());
    }
}

#[derive(Debug)]
struct Target(u32);

impl Clone for Target {
    fn clone(&self) -> Self {
        intrude();
        Self(self.0)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        intrude();
        self.0 == other.0
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        intrude();
        // All of one hash: they have to be compared.
        state.write_u32(0);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        intrude();
    }
}

struct Connection;

impl Clone for Connection {
    fn clone(&self) -> Self {
        intrude();
        Self
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        intrude();
    }
}

impl Service<()> for Connection {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        intrude();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        intrude();
        ready(Ok(()))
    }
}

struct Maker;

impl Clone for Maker {
    fn clone(&self) -> Self {
        intrude();
        Self
    }
}

impl Service<Target> for Maker {
    type Response = Connection;
    type Error = std::io::Error;
    type Future = Ready<Result<Connection, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        intrude();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Target) -> Self::Future {
        intrude();
        ready(if target.0 == 13 {
            Err(std::io::Error::other("no"))
        } else {
            Ok(Connection)
        })
    }
}

/// A slot is held by the response.
struct Completion;

impl Clone for Completion {
    fn clone(&self) -> Self {
        intrude();
        Self
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        intrude();
    }
}

impl<H> TrackCompletion<H, ()> for Completion {
    type Output = H;

    fn track_completion(&self, handle: H, (): ()) -> H {
        intrude();
        handle
    }
}

struct Intruder(Waker);

impl Wake for Intruder {
    fn wake(self: Arc<Self>) {
        intrude();
        self.0.wake_by_ref();
    }
}

impl Drop for Intruder {
    fn drop(&mut self) {
        intrude();
    }
}

#[test]
fn exclusive() {
    within_10_s(async || use_all(layer().layer(Maker)).await);
}

#[test]
fn shared() {
    within_10_s(async || {
        let layer = layer().shared(|_: &Connection| {
            intrude();
            2
        });
        use_all(layer.layer(Maker)).await;
    });
}

#[test]
fn idle() {
    within_10_s(use_idle);
}

fn layer() -> PoolLayer<Target, (), Connection, Completion> {
    PoolLayer::new(2)
        .completion(Completion)
        .max_total(4)
        .idle_timeout(Some(10 * SECOND))
        .max_lifetime(Some(30 * SECOND))
        .sweep_interval(SECOND)
        .closed(|_: &Connection| {
            intrude();
            std::future::pending::<()>()
        })
        .validate(|_: &Connection| {
            intrude();
            ready(Ok::<_, Infallible>(()))
        })
        .backoff(|| {
            intrude();
            iter::repeat_with(|| {
                intrude();
                Duration::from_millis(10)
            })
        })
}

/// What waits for itself never ends: it is run in a thread that can be left alone.
fn within_10_s(uses: impl AsyncFnOnce() + Send + 'static) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let (done, ended) = channel();
    thread::spawn(move || {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(uses());
        let last = (POOL.lock().unwrap().take(), IDLE.lock().unwrap().take());
        drop((last, runtime));
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(10));
    assert!(ended.is_ok(), "it waits for itself");
}

async fn use_all(mut pool: Pools) {
    *POOL.lock().unwrap() = Some(pool.clone());
    for round in 0..20 {
        for target in 0..6 {
            let mut lent = intruding(pool.call(Target(target))).await.unwrap();
            poll_fn(|cx| lent.poll_ready(cx)).await.unwrap();
            drop(lent.call(()));
            if round % 5 == 4 {
                lent.discard();
            }
        }
        drop(intruding(pool.call(Target(13))).await);
        let waiters: Vec<_> = (0..8).map(|_| pool.call(Target(0))).collect();
        for (place, waiter) in waiters.into_iter().enumerate() {
            if place % 3 > 0 {
                drop(intruding(waiter).await);
            }
        }
        use_hinges(&pool).await;
        pool.retain(|_, _| {
            intrude();
            round % 2 == 0
        });
        sleep(3 * SECOND).await;
        settle().await;
    }
    pool.drain(&Target(1), SECOND).await;
    pool.warm(Target(2), 2).await.unwrap();
    pool.close();
    pool.drain_all(SECOND).await;
}

/// Hinges that are answered, or not; that are ready, or wait, when they are dropped; and one whose
/// target cannot be reached.
async fn use_hinges(pool: &Pools) {
    let mut hinge = pool.service(Target(0));
    for answered in [true, false] {
        intruding(poll_fn(|cx| hinge.poll_ready(cx))).await.unwrap();
        let answer = hinge.call(());
        if answered {
            drop(intruding(answer).await.unwrap());
        }
    }
    let mut hinges: Vec<_> = (0..6).map(|_| hinge.clone()).collect();
    hinges.push(pool.service(Target(13)));
    for hinge in &mut hinges {
        let ready = intruding(poll_fn(|cx| hinge.poll_ready(cx)));
        drop(timeout(Duration::from_millis(20), ready).await);
    }
}

async fn use_idle() {
    let (runs, ran) = channel();
    let layer = IdleLayer::new(SECOND, move || {
        intrude();
        runs.send(()).unwrap();
    });
    let mut service = layer.completion(Completion).layer(Connection);
    *IDLE.lock().unwrap() = Some(service.handle());
    for _ in 0..5 {
        intruding(poll_fn(|cx| service.poll_ready(cx)))
            .await
            .unwrap();
        drop(service.clone().call(()));
        drop(intruding(service.call(())).await.unwrap());
        sleep(2 * SECOND).await;
        settle().await;
    }
    assert_eq!(ran.try_iter().count(), 5);
}

/// Polls with a waker that is a caller's code, too.
async fn intruding<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        let waker = Waker::from(Arc::new(Intruder(cx.waker().clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

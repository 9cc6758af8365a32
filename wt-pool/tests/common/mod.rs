//! Connections to nowhere: how many there are is counted, and each does what the test says.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it")]

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::sleep;
use tower::load::TrackCompletion;
use tower::{Layer, Service, ServiceExt};
use wt_pool::{Pool, PoolError, PoolLayer, Pooled};

pub(crate) type Target = u16;
pub(crate) type TestPool<Tc = tower::load::CompleteOnResponse> = Pool<Maker, Target, Ask, Tc>;
pub(crate) type Layer1 = PoolLayer<Target, Ask, Connection>;

pub(crate) const TARGET: Target = 443;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Answered with the connection's number.
    Number,
    /// Answered with an error.
    Fail,
    /// Never answered.
    Hang,
}

/// Where all connections of a test lead.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Inner>);

#[derive(Default)]
struct Inner {
    connects: AtomicUsize,
    connecting: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
    capacity: AtomicUsize,
    refuses: AtomicBool,
    stillborn: AtomicBool,
    /// How long each connect takes, in turn; at once if there is none.
    delays: Mutex<VecDeque<Duration>>,
    delay: Mutex<Duration>,
    connections: Mutex<Vec<Handle>>,
}

/// What a test holds of a connection; it keeps none open.
#[derive(Clone, Default)]
pub(crate) struct Handle(Arc<Switches>);

#[derive(Default)]
struct Switches {
    dead: AtomicBool,
    busy: AtomicBool,
    gone: AtomicBool,
    polls: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Handle {
    pub(crate) fn kill(&self) {
        self.0.dead.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn busy(&self, busy: bool) {
        self.0.busy.store(busy, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.0.gone.load(Ordering::SeqCst)
    }

    /// How often it has been asked whether it is ready.
    pub(crate) fn polls(&self) -> usize {
        self.0.polls.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut *self.0.wakers.lock().unwrap());
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Server {
    pub(crate) fn new() -> Self {
        let server = Self::default();
        server.set_capacity(1);
        server
    }

    pub(crate) fn maker(&self) -> Maker {
        Maker(self.clone())
    }

    pub(crate) fn exclusive(&self, max: usize) -> TestPool {
        Layer1::new(max).layer(self.maker())
    }

    /// A pool of shared connections with the capacity of `set_capacity`.
    pub(crate) fn shared(&self, max: usize) -> TestPool {
        self.sharing(Layer1::new(max)).layer(self.maker())
    }

    pub(crate) fn sharing(&self, layer: Layer1) -> Layer1 {
        let server = self.clone();
        layer.shared(move |_: &Connection| server.capacity())
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity.load(Ordering::SeqCst)
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.0.capacity.store(capacity, Ordering::SeqCst);
    }

    pub(crate) fn refuse(&self, refuses: bool) {
        self.0.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Connections are dead when they are made.
    pub(crate) fn stillborn(&self, stillborn: bool) {
        self.0.stillborn.store(stillborn, Ordering::SeqCst);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        *self.0.delay.lock().unwrap() = delay;
    }

    pub(crate) fn delays(&self, delays: impl IntoIterator<Item = Duration>) {
        self.0.delays.lock().unwrap().extend(delays);
    }

    /// How many connects have begun.
    pub(crate) fn connects(&self) -> usize {
        self.0.connects.load(Ordering::SeqCst)
    }

    /// How many connects are under way.
    pub(crate) fn connecting(&self) -> usize {
        self.0.connecting.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    /// The most that were open, or being made, at once.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    pub(crate) fn connection(&self, number: usize) -> Handle {
        self.0.connections.lock().unwrap()[number].clone()
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("refused")]
pub(crate) struct Refused;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the connection is broken")]
pub(crate) struct Broken;

#[derive(Clone)]
pub(crate) struct Maker(Server);

impl Service<Target> for Maker {
    type Response = Connection;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Refused>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Target) -> Self::Future {
        let inner = Arc::clone(&self.0.0);
        inner.connects.fetch_add(1, Ordering::SeqCst);
        let connecting = Counted::new(Arc::clone(&inner), |inner| &inner.connecting);
        let next = inner.delays.lock().unwrap().pop_front();
        let delay = next.unwrap_or_else(|| *inner.delay.lock().unwrap());
        Box::pin(async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            drop(connecting);
            if inner.refuses.load(Ordering::SeqCst) {
                return Err(Refused);
            }
            Ok(Connection::new(inner))
        })
    }
}

/// Counts up, and down when dropped.
struct Counted(Arc<Inner>, fn(&Inner) -> &AtomicUsize);

impl Counted {
    fn new(inner: Arc<Inner>, counter: fn(&Inner) -> &AtomicUsize) -> Self {
        counter(&inner).fetch_add(1, Ordering::SeqCst);
        let all = inner.open.load(Ordering::SeqCst) + inner.connecting.load(Ordering::SeqCst);
        inner.most.fetch_max(all, Ordering::SeqCst);
        Self(inner, counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) number: usize,
    pub(crate) handle: Handle,
    _alive: Arc<Alive>,
    /// Set by `poll_ready`, as a reservation would be.
    ready: bool,
}

struct Alive {
    handle: Handle,
    _open: Counted,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.handle.0.gone.store(true, Ordering::SeqCst);
        self.handle.wake();
    }
}

impl Connection {
    fn new(inner: Arc<Inner>) -> Self {
        let handle = Handle::default();
        let dead = inner.stillborn.load(Ordering::SeqCst);
        handle.0.dead.store(dead, Ordering::SeqCst);
        let mut connections = inner.connections.lock().unwrap();
        connections.push(handle.clone());
        let number = connections.len() - 1;
        drop(connections);
        let alive = Alive {
            handle: handle.clone(),
            _open: Counted::new(inner, |inner| &inner.open),
        };
        Self {
            number,
            handle,
            _alive: Arc::new(alive),
            ready: false,
        }
    }

    /// Ends when the connection is killed; keeps no handle on it.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let handle = self.handle.clone();
        std::future::poll_fn(move |cx| {
            handle.0.wakers.lock().unwrap().push(cx.waker().clone());
            if handle.0.dead.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
    }
}

impl Service<Ask> for Connection {
    type Response = usize;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<usize, Broken>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let switches = &self.handle.0;
        switches.polls.fetch_add(1, Ordering::SeqCst);
        switches.wakers.lock().unwrap().push(cx.waker().clone());
        if switches.dead.load(Ordering::SeqCst) {
            return Poll::Ready(Err(Broken));
        }
        if switches.busy.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        let number = self.number;
        Box::pin(async move {
            match ask {
                Ask::Number => Ok(number),
                Ask::Fail => Err(Broken),
                Ask::Hang => pending().await,
            }
        })
    }
}

/// A completion that keeps what it is given until it is cleared.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<Vec<Box<dyn Send>>>>);

impl Held {
    pub(crate) fn clear(&self) {
        let held = std::mem::take(&mut *self.0.lock().unwrap());
        drop(held);
    }
}

impl<H: Send + 'static, R> TrackCompletion<H, R> for Held {
    type Output = R;

    fn track_completion(&self, handle: H, response: R) -> R {
        self.0.lock().unwrap().push(Box::new(handle));
        response
    }
}

/// A checkout that has its place in line.
pub(crate) fn check_out(pool: &TestPool) -> wt_pool::Checkout<Connection> {
    pool.clone().call(TARGET)
}

pub(crate) async fn lend(pool: &TestPool) -> Pooled<Connection> {
    check_out(pool).await.unwrap()
}

pub(crate) async fn refusal(pool: &TestPool) -> PoolError {
    check_out(pool).await.unwrap_err()
}

/// Sends a request on whichever connection the hinge has.
pub(crate) async fn ask<S>(service: &mut S, ask: Ask) -> Result<usize, tower::BoxError>
where
    S: Service<Ask, Response = usize, Error = tower::BoxError>,
{
    service.ready().await?.call(ask).await
}

/// Lets every task go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.number)
    }
}

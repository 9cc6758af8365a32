//! Backends that do what a test says, and count what they are asked.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it")]

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tower::discover::Change;
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_balance::{Balance, BalanceLayer};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) type Key = &'static str;

/// What a backend does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers with its key, at once.
    Answer,
    After(Duration),
    /// Fails at once.
    Fail,
    FailAfter(Duration),
    Hang,
}

/// What a backend says when it is asked whether it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Ready,
    Busy,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} failed")]
pub(crate) struct Failed(pub(crate) Key);

/// All backends of a test, by their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct World(Arc<Mutex<HashMap<Key, Arc<Mutex<State>>>>>);

#[derive(Debug)]
struct State {
    act: Act,
    is: Is,
    calls: usize,
    under_way: usize,
    asked: usize,
    services: usize,
    wakers: Vec<Waker>,
}

impl World {
    pub(crate) fn act(&self, key: Key, act: Act) {
        self.state(key).lock().unwrap().act = act;
    }

    /// Wakes whoever waits for that.
    pub(crate) fn is(&self, key: Key, is: Is) {
        let state = self.state(key);
        state.lock().unwrap().is = is;
        let wakers = std::mem::take(&mut state.lock().unwrap().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How many calls it was given.
    pub(crate) fn calls(&self, key: Key) -> usize {
        self.state(key).lock().unwrap().calls
    }

    pub(crate) fn under_way(&self, key: Key) -> usize {
        self.state(key).lock().unwrap().under_way
    }

    /// How often it was asked whether it is ready.
    pub(crate) fn asked(&self, key: Key) -> usize {
        self.state(key).lock().unwrap().asked
    }

    /// How many of its services there are.
    pub(crate) fn services(&self, key: Key) -> usize {
        self.state(key).lock().unwrap().services
    }

    pub(crate) fn backend(&self, key: Key) -> Backend {
        let state = self.state(key);
        state.lock().unwrap().services += 1;
        Backend {
            key,
            state,
            ready: false,
        }
    }

    pub(crate) fn maker(&self) -> impl Fn(Key) -> Backend + Send + Sync + use<> {
        let world = self.clone();
        move |key| world.backend(key)
    }

    pub(crate) fn balance(&self, keys: impl IntoIterator<Item = Key>) -> Balance<Key, Backend> {
        BalanceLayer::new(keys).layer(self.maker())
    }

    fn state(&self, key: Key) -> Arc<Mutex<State>> {
        let new = || {
            Arc::new(Mutex::new(State {
                act: Act::Answer,
                is: Is::Ready,
                calls: 0,
                under_way: 0,
                asked: 0,
                services: 0,
                wakers: Vec::new(),
            }))
        };
        let mut all = self.0.lock().unwrap();
        Arc::clone(all.entry(key).or_insert_with(new))
    }
}

/// Panics if it is called without having been ready itself.
#[derive(Debug)]
pub(crate) struct Backend {
    key: Key,
    state: Arc<Mutex<State>>,
    ready: bool,
}

impl Service<u32> for Backend {
    type Response = Key;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Key, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        match state.is {
            Is::Ready => {
                self.ready = true;
                Poll::Ready(Ok(()))
            }
            Is::Busy => {
                state.wakers.push(cx.waker().clone());
                Poll::Pending
            }
            Is::Gone => Poll::Ready(Err(Failed(self.key))),
        }
    }

    fn call(&mut self, _: u32) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        self.state.lock().unwrap().calls += 1;
        let (key, act) = (self.key, self.state.lock().unwrap().act);
        let under_way = UnderWay::new(&self.state);
        Box::pin(async move {
            let _under_way = under_way;
            match act {
                Act::Answer => Ok(key),
                Act::Fail => Err(Failed(key)),
                Act::After(after) => {
                    sleep(after).await;
                    Ok(key)
                }
                Act::FailAfter(after) => {
                    sleep(after).await;
                    Err(Failed(key))
                }
                Act::Hang => std::future::pending().await,
            }
        })
    }
}

impl Clone for Backend {
    fn clone(&self) -> Self {
        self.state.lock().unwrap().services += 1;
        Self {
            key: self.key,
            state: Arc::clone(&self.state),
            ready: false,
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.state.lock().unwrap().services -= 1;
    }
}

struct UnderWay(Arc<Mutex<State>>);

impl UnderWay {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        state.lock().unwrap().under_way += 1;
        Self(Arc::clone(state))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().under_way -= 1;
    }
}

/// One call, as soon as the balancer is ready.
pub(crate) async fn ask<S>(balance: &mut S) -> Result<Key, BoxError>
where
    S: Service<u32, Response = Key, Error = BoxError>,
{
    balance.ready().await?.call(0).await
}

/// So many calls, one after the other, which all succeed.
pub(crate) async fn ask_times<S>(balance: &mut S, times: usize) -> Vec<Key>
where
    S: Service<u32, Response = Key, Error = BoxError>,
{
    let mut keys = Vec::new();
    for _ in 0..times {
        keys.push(ask(balance).await.unwrap());
    }
    keys
}

/// Many at once, each a call in ten milliseconds or so, for so long.
pub(crate) async fn traffic<S>(balance: &S, clients: usize, span: Duration) -> (usize, usize)
where
    S: Service<u32, Response = Key, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let end = Instant::now() + span;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..clients {
        let mut balance = balance.clone();
        all.spawn(async move {
            // Not in step.
            sleep(Duration::from_micros(997 * n as u64)).await;
            let (mut good, mut bad) = (0, 0);
            while Instant::now() < end {
                match ask(&mut balance).await {
                    Ok(_) => good += 1,
                    Err(_) => bad += 1,
                }
                sleep(MILLISECOND).await;
            }
            (good, bad)
        });
    }
    let mut sum = (0, 0);
    for (good, bad) in all.join_all().await {
        sum = (sum.0 + good, sum.1 + bad);
    }
    sum
}

/// Which backend each of a thousand requests goes to.
pub(crate) async fn homes(
    balance: &mut impl Service<u32, Response = Key, Error = BoxError>,
) -> HashMap<u32, Key> {
    let mut homes = HashMap::new();
    for request in 0..1000 {
        let key = balance.ready().await.unwrap().call(request).await.unwrap();
        homes.insert(request, key);
    }
    homes
}

pub(crate) fn count(keys: &[Key], key: Key) -> usize {
    keys.iter().filter(|known| **known == key).count()
}

/// Lets all tasks do what they can.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

type Changes<S> = Result<Change<Key, S>, BoxError>;

/// Discovery by hand: a stream, and its other end.
pub(crate) fn discovery<S>() -> (mpsc::Sender<Changes<S>>, Stream<S>) {
    let (sender, receiver) = mpsc::channel(1024);
    (sender, Stream(receiver))
}

#[derive(Debug)]
pub(crate) struct Stream<S>(mpsc::Receiver<Changes<S>>);

impl<S> futures_core::Stream for Stream<S> {
    type Item = Changes<S>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// The next event of those at `DEBUG` or above, as a line.
pub(crate) fn line_of(event: &tracing::Event<'_>) -> String {
    let mut fields = Fields(Vec::new());
    event.record(&mut fields);
    fields.0.join(" ")
}

struct Fields(Vec<String>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let name = field.name();
        self.0.push(if name == "message" {
            format!("{value:?}")
        } else {
            format!("{name}={value:?}")
        });
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.push(format!("{}={value}", field.name()));
    }
}

/// Asks once, as the task that `spawned` stands for.
pub(crate) fn poll_ready<S>(spawned: &mut tokio_test::task::Spawn<S>) -> Poll<Result<(), BoxError>>
where
    S: Service<u32, Error = BoxError> + Unpin,
{
    spawned.enter(|cx, service| service.get_mut().poll_ready(cx))
}

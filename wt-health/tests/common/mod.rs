//! What several tests share.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::task::yield_now;
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_health::outlier::Outlier;
use wt_health::snapshot::State;
use wt_health::{Health, Monitor, MonitorBuilder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

pub(crate) type Key = &'static str;

/// One backend alone may be ejected, and no panic follows.
pub(crate) fn monitor() -> Monitor<Key> {
    Monitor::new()
}

/// All may be ejected.
pub(crate) fn strict() -> MonitorBuilder<Key> {
    Monitor::builder()
        .outlier(Outlier::default().max_ejected(100))
        .panic_threshold(None)
}

/// A backend that fails or not as it is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backend {
    failing: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed")]
pub(crate) struct Failed;

impl Backend {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn failing() -> Self {
        let backend = Self::new();
        backend.fail(true);
        backend
    }

    /// It takes calls, and never answers.
    pub(crate) fn silent() -> Self {
        let backend = Self::new();
        backend.silent.store(true, Ordering::Relaxed);
        backend
    }

    pub(crate) fn fail(&self, fail: bool) {
        self.failing.store(fail, Ordering::Relaxed);
    }

    pub(crate) fn answer(&self) {
        self.silent.store(false, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Service<()> for Backend {
    type Response = ();
    type Error = Failed;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let failing = self.failing.load(Ordering::Relaxed);
        let silent = self.silent.load(Ordering::Relaxed);
        Box::pin(async move {
            if silent {
                std::future::pending::<()>().await;
            }
            if failing { Err(Failed) } else { Ok(()) }
        })
    }
}

/// So many calls, whatever comes of them.
pub(crate) async fn calls<S: Service<()>>(service: &mut S, count: usize) {
    for _ in 0..count {
        if let Ok(ready) = service.ready().await {
            let _ = ready.call(()).await;
        }
    }
}

/// A service of a backend that has just been ejected.
pub(crate) async fn ejected(monitor: &Monitor<Key>, key: Key) -> (Health<Backend>, Backend) {
    let backend = Backend::failing();
    let mut service = monitor.layer(key).layer(backend.clone());
    calls(&mut service, 5).await;
    assert!(is_ejected(monitor, key));
    settle().await;
    (service, backend)
}

pub(crate) fn is_ejected(monitor: &Monitor<Key>, key: Key) -> bool {
    matches!(monitor.state(&key), Some(State::Ejected { .. }))
}

/// Lets all tasks do what they can do now.
pub(crate) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Lets time pass, and all tasks do what is due then.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    settle().await;
}

/// Counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn waker() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&count));
        (count, waker)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls the readiness of a service once.
pub(crate) fn poll_ready<S, Req>(service: &mut S, waker: &Waker) -> Poll<Result<(), S::Error>>
where
    S: Service<Req>,
{
    service.poll_ready(&mut Context::from_waker(waker))
}

pub(crate) fn poll<S: Service<()>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    poll_ready(service, Waker::noop())
}

/// Probes that find what they are told, and note when they are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prober {
    fails: Arc<AtomicBool>,
    pub(crate) made: Arc<Mutex<Vec<(Key, Duration)>>>,
}

impl Prober {
    pub(crate) fn failing() -> Self {
        let prober = Self::default();
        prober.fail(true);
        prober
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// When probes have been made since this was asked last.
    pub(crate) fn take(&self) -> Vec<Duration> {
        let made = std::mem::take(&mut *self.made.lock().unwrap());
        made.into_iter().map(|(_, at)| at).collect()
    }

    /// A probe for a monitor that begins now.
    pub(crate) fn probe(
        &self,
    ) -> impl Fn(Key) -> std::future::Ready<Result<(), BoxError>> + Send + Sync + 'static {
        let prober = self.clone();
        let began = tokio::time::Instant::now();
        move |key| {
            prober.made.lock().unwrap().push((key, began.elapsed()));
            let fails = prober.fails.load(Ordering::Relaxed);
            std::future::ready(if fails { Err("no".into()) } else { Ok(()) })
        }
    }
}

/// A key with code of its own.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hooked(pub(crate) &'static str);

impl Hooked {
    /// Sets what is done when a "b" is cloned for the next time in this thread.
    pub(crate) fn hook(hook: impl FnOnce() + 'static) {
        HOOK.with(|next| next.set(Some(Box::new(hook))));
    }
}

impl Clone for Hooked {
    fn clone(&self) -> Self {
        if self.0 == "b"
            && let Some(hook) = HOOK.with(Cell::take)
        {
            hook();
        }
        Self(self.0)
    }
}

type Hook = Box<dyn FnOnce()>;

thread_local! {
    static HOOK: Cell<Option<Hook>> = const { Cell::new(None) };
}

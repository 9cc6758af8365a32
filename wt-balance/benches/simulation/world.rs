//! Backends with slots, and what they do when.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tower::Service;

const SLOTS: usize = 4;

/// What a backend does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Takes so many milliseconds, on average.
    Take(f64),
    /// Does nothing until then, in milliseconds since the start, and takes 10 ms afterwards.
    Stall(f64),
    Fail,
    Hang,
    /// Loses this share of the calls, which fail after a second, and takes 10 ms for the others.
    Lose(f64),
}

/// Simulated milliseconds.
pub(crate) fn ms(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds * 200.0 / 1000.0)
}

pub(crate) fn to_ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0 / 200.0
}

/// One backend, as one client sees it.
#[derive(Clone)]
pub(crate) struct Backend {
    server: Arc<Server>,
    /// Of this client.
    pub(crate) calls: Arc<Calls>,
}

pub(crate) struct Server {
    began: Instant,
    slots: Semaphore,
    random: Mutex<fastrand::Rng>,
    does: fn(usize, f64) -> Does,
    place: usize,
    pub(crate) begun: AtomicU64,
}

#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) begun: AtomicU64,
    pub(crate) under_way: AtomicU64,
}

#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub(crate) struct Failed;

impl Server {
    pub(crate) fn new(place: usize, does: fn(usize, f64) -> Does) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            slots: Semaphore::new(SLOTS),
            random: Mutex::new(fastrand::Rng::with_seed(100 + place as u64)),
            does,
            place,
            begun: AtomicU64::new(0),
        })
    }

    async fn serve(&self) -> Result<(), Failed> {
        let does = || (self.does)(self.place, to_ms(self.began.elapsed()));
        match does() {
            Does::Fail => return Err(Failed),
            Does::Hang => pending().await,
            Does::Lose(share) if self.random.lock().unwrap().f64() < share => {
                sleep(ms(1000.0)).await;
                return Err(Failed);
            }
            Does::Take(_) | Does::Stall(_) | Does::Lose(_) => {}
        }
        let _slot = self.slots.acquire().await.unwrap();
        let mean = match does() {
            Does::Stall(until) => {
                sleep(ms(until).saturating_sub(self.began.elapsed())).await;
                10.0
            }
            Does::Take(mean) => mean,
            Does::Fail | Does::Hang | Does::Lose(_) => 10.0,
        };
        let uniform = self.random.lock().unwrap().f64();
        sleep(ms(-mean * (1.0 - uniform).ln())).await;
        Ok(())
    }
}

impl Backend {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        Self {
            server: Arc::clone(server),
            calls: Arc::default(),
        }
    }
}

impl Service<()> for Backend {
    type Response = ();
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        let server = Arc::clone(&self.server);
        server.begun.fetch_add(1, Ordering::Relaxed);
        let calls = UnderWay::new(&self.calls);
        Box::pin(async move {
            let _calls = calls;
            server.serve().await
        })
    }
}

struct UnderWay(Arc<Calls>);

impl UnderWay {
    fn new(calls: &Arc<Calls>) -> Self {
        calls.begun.fetch_add(1, Ordering::Relaxed);
        calls.under_way.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(calls))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

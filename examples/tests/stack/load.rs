use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Request;
use examples::stack::{Client, PATH};
use examples::{BoxError, causes};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::fleet::eventually;

/// Callers, each of whom calls again as soon as it has been answered, until this is dropped.
pub(crate) struct Load {
    callers: JoinSet<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
}

impl Load {
    pub(crate) fn of(callers: usize, client: &impl Client<()>) -> Self {
        let seen = Arc::<Seen>::default();
        let mut load = Self {
            callers: JoinSet::new(),
            seen: Arc::clone(&seen),
        };
        for _ in 0..callers {
            let (client, seen) = (client.clone(), Arc::clone(&seen));
            load.callers.spawn(async move {
                loop {
                    seen.look_at(client.clone()).await;
                }
            });
        }
        load
    }

    pub(crate) fn answered(&self) -> u64 {
        self.seen.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap().clone()
    }

    pub(crate) fn slowest(&self) -> Duration {
        *self.seen.slowest.lock().unwrap()
    }

    /// Waits until so many more calls have been answered.
    pub(crate) async fn goes_on(&self, calls: u64) {
        let enough = self.answered() + calls;
        eventually("calls are answered", || self.answered() >= enough).await;
    }
}

impl Seen {
    async fn look_at(&self, client: impl Client<()>) {
        let began = Instant::now();
        match call(client).await {
            Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => self.failures.lock().unwrap().push(causes(&*error)),
        }
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = began.elapsed().max(*slowest);
    }
}

/// One call.
pub(crate) async fn call<R>(client: impl Client<R>) -> Result<R, BoxError> {
    client.oneshot(Request::get(PATH).body(())?).await
}

use std::fmt;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use tower::{BoxError, MakeService};

use crate::common::BoxFuture;
use crate::error::PoolError;
use crate::home::{Home, Owner};
use crate::owner::Owned;
use crate::stock::Refusal;

/// Targets that are being warmed, a stream of each target with its own result; made by
/// [`Pool::warm_all`](crate::Pool::warm_all).
///
/// Results come in the order in which they are known. Dropped, it begins no more; a connect that
/// has begun goes on.
#[must_use = "streams do nothing unless polled"]
pub struct WarmAll<T> {
    waiting: Option<Box<dyn Iterator<Item = Warming<T>> + Send>>,
    running: Vec<Warming<T>>,
    at_once: usize,
}

type Warming<T> = BoxFuture<(T, Result<(), PoolError>)>;

impl<T> WarmAll<T> {
    pub(crate) fn new<M, Req, I>(owned: Arc<Owned<M, T, Req>>, targets: I) -> Self
    where
        M: MakeService<T, Req> + Clone + Send + Sync + 'static,
        M::Service: Send + 'static,
        M::MakeError: Into<BoxError>,
        M::Future: Send + 'static,
        T: Clone + Eq + Hash + Send + Sync + 'static,
        Req: 'static,
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        let warming = targets.into_iter().map(move |target| -> Warming<T> {
            let owned = Arc::clone(&owned);
            Box::pin(async move {
                let warm = warm(owned, target.clone(), 1).await;
                (target, warm)
            })
        });
        Self {
            waiting: Some(Box::new(warming)),
            running: Vec::new(),
            at_once: 10,
        }
    }

    /// Sets how many targets are warmed at once; 10 by default.
    ///
    /// # Panics
    ///
    /// Panics if `at_once` is 0.
    pub fn at_once(mut self, at_once: usize) -> Self {
        assert!(at_once > 0, "no target would ever be warm");
        self.at_once = at_once;
        self
    }

    fn fill(&mut self) {
        while self.running.len() < self.at_once {
            let next = self.waiting.as_mut().and_then(Iterator::next);
            let Some(next) = next else {
                self.waiting = None;
                return;
            };
            self.running.push(next);
        }
    }
}

impl<T> Stream for WarmAll<T> {
    type Item = (T, Result<(), PoolError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.fill();
        for place in 0..self.running.len() {
            if let Poll::Ready(warm) = self.running[place].as_mut().poll(cx) {
                drop(self.running.swap_remove(place));
                return Poll::Ready(Some(warm));
            }
        }
        if self.running.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl<T> Unpin for WarmAll<T> {}

impl<T> fmt::Debug for WarmAll<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmAll")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// Sees to it that so many connections are open.
pub(crate) async fn warm<M, T, Req>(
    owned: Arc<Owned<M, T, Req>>,
    target: T,
    connections: usize,
) -> Result<(), PoolError>
where
    M: MakeService<T, Req> + Clone + Send + Sync + 'static,
    M::Service: Send + 'static,
    M::MakeError: Into<BoxError>,
    M::Future: Send + 'static,
    T: Clone + Eq + Hash + Send + Sync + 'static,
    Req: 'static,
{
    let home = owned.hold(&target);
    let held = Held {
        home: &home,
        owned: &owned,
        connections,
    };
    let failures = home.begin_warm(connections)?;
    loop {
        let mut changed = pin!(home.changed.notified());
        changed.as_mut().enable();
        if let Some(warm) = is_warm(&home, connections, failures) {
            drop(held);
            return warm;
        }
        owned.keep(&home);
        home.rouse.notify_one();
        changed.await;
    }
}

/// `None` while it is not known.
fn is_warm<C>(home: &Home<C>, connections: usize, failures: u64) -> Option<Result<(), PoolError>> {
    let last = home.last_failure.lock().clone();
    let stock = home.stock.lock();
    match stock.phase.refusal() {
        Some(Refusal::Draining) => return Some(Err(PoolError::Draining)),
        Some(_) => return Some(Err(PoolError::Closed)),
        None => {}
    }
    if stock.live() >= connections.min(stock.rules.max_connections) {
        return Some(Ok(()));
    }
    let failed = stock.failures() > failures;
    failed.then(|| Err(last.unwrap_or(PoolError::Closed)))
}

/// A target that is warmed, let go by drop.
struct Held<'a, M, T, Req>
where
    M: MakeService<T, Req>,
{
    home: &'a Arc<Home<M::Service>>,
    owned: &'a Owned<M, T, Req>,
    connections: usize,
}

impl<M, T, Req> Drop for Held<'_, M, T, Req>
where
    M: MakeService<T, Req>,
{
    fn drop(&mut self) {
        self.home.end_warm(self.connections);
        self.owned.let_go(self.home);
    }
}

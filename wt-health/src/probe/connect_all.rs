use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::net::ToSocketAddrs;

use crate::probe::{ConnectError, TcpConnect};

/// Targets that are being connected to, a stream of each target with its own result; made by
/// [`TcpConnect::connect_all`].
///
/// Results come in the order in which they are known. A target that is given twice is tried twice.
/// Dropped, it gives up all attempts.
#[must_use = "streams do nothing unless polled"]
pub struct ConnectAll<A> {
    waiting: Option<Box<dyn Iterator<Item = Attempt<A>> + Send>>,
    running: Vec<Attempt<A>>,
    at_once: usize,
}

type Attempt<A> = Pin<Box<dyn Future<Output = (A, Result<Duration, ConnectError>)> + Send>>;

impl<A> ConnectAll<A> {
    pub(crate) fn new<I>(connect: TcpConnect, targets: I) -> Self
    where
        A: ToSocketAddrs + Clone + Send + Sync + 'static,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'static,
    {
        let attempts = targets.into_iter().map(move |target| -> Attempt<A> {
            Box::pin(async move {
                let result = connect.connect(target.clone()).await;
                (target, result)
            })
        });
        Self {
            waiting: Some(Box::new(attempts)),
            running: Vec::new(),
            at_once: 10,
        }
    }

    /// Sets how many are connected to at once. Default: 10.
    ///
    /// # Panics
    ///
    /// Panics if `at_once` is 0.
    pub fn at_once(mut self, at_once: usize) -> Self {
        assert!(at_once > 0, "nobody would ever be connected to");
        self.at_once = at_once;
        self
    }

    /// Waits for the next result; `None` when there is no other.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a result that is not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<(A, Result<Duration, ConnectError>)> {
        poll_fn(|cx| self.poll_one(cx)).await
    }

    fn poll_one(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(A, Result<Duration, ConnectError>)>> {
        self.fill();
        for place in 0..self.running.len() {
            if let Poll::Ready(result) = self.running[place].as_mut().poll(cx) {
                drop(self.running.swap_remove(place));
                return Poll::Ready(Some(result));
            }
        }
        if self.running.is_empty() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
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

impl<A> Stream for ConnectAll<A> {
    type Item = (A, Result<Duration, ConnectError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_one(cx)
    }
}

impl<A> fmt::Debug for ConnectAll<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectAll")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

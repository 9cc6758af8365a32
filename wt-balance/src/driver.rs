//! The task that follows discovery.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tower::BoxError;
use tower::discover::{Change, Discover};

use crate::backends::Backends;

/// Makes the changes that are discovered, until there are no more.
pub(crate) async fn follow<D>(discover: D, backends: Arc<Backends<D::Key, D::Service>>)
where
    D: Discover,
    D::Key: Eq + Hash + fmt::Debug,
    D::Service: Clone,
    D::Error: Into<BoxError>,
{
    let mut discover = pin!(discover);
    loop {
        let mut batch = Batch::new();
        poll_fn(|cx| batch.gather(discover.as_mut(), cx)).await;
        if !batch.changes.is_empty() {
            backends.apply(batch.changes);
        }
        if let Some(error) = batch.error {
            tracing::warn!(error = &*error as &dyn Error, "discovery failed");
            drop(error);
            // One that does nothing but fail must not keep this busy.
            sleep(AFTER_ERROR).await;
        }
        if batch.ended {
            tracing::debug!("discovery ended");
            return;
        }
        // One that is always ready must not, either.
        yield_now().await;
    }
}

/// Changes that are published together, since each publication looks at all backends.
struct Batch<K, S> {
    changes: Vec<Change<K, S>>,
    error: Option<BoxError>,
    ended: bool,
}

impl<K, S> Batch<K, S> {
    fn new() -> Self {
        Self {
            changes: Vec::new(),
            error: None,
            ended: false,
        }
    }

    /// Ready with all that is there, or pending while nothing is.
    fn gather<D>(&mut self, mut discover: Pin<&mut D>, cx: &mut Context<'_>) -> Poll<()>
    where
        D: Discover<Key = K, Service = S>,
        D::Error: Into<BoxError>,
        K: Eq,
    {
        while self.changes.len() < BATCH {
            match discover.as_mut().poll_discover(cx) {
                Poll::Ready(Some(Ok(change))) => self.changes.push(change),
                Poll::Ready(Some(Err(error))) => {
                    self.error = Some(error.into());
                    return Poll::Ready(());
                }
                Poll::Ready(None) => {
                    self.ended = true;
                    return Poll::Ready(());
                }
                Poll::Pending if self.changes.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

/// How many changes are published at once at most.
const BATCH: usize = 1024;
/// How long discovery is left alone after it has failed.
const AFTER_ERROR: Duration = Duration::from_secs(1);

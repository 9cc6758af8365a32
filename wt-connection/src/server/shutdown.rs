use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::error::Close;

/// When a server's connections have to be done, and what those that are not are closed with.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    begun: watch::Sender<Option<Instant>>,
    timeout: Duration,
    pub(crate) close: Close,
}

impl Shutdown {
    pub(crate) fn new(timeout: Duration, close: Close) -> Self {
        Self {
            begun: watch::Sender::new(None),
            timeout,
            close,
        }
    }

    /// Lets every connection drain, from now on; says whether it had not begun.
    pub(crate) fn begin(&self) -> bool {
        self.begun.send_if_modified(|begun| {
            let first = begun.is_none();
            begun.get_or_insert_with(Instant::now);
            first
        })
    }

    /// Waits until it begins.
    pub(crate) async fn begun(&self) -> Instant {
        let mut begun = self.begun.subscribe();
        loop {
            let now = *begun.borrow_and_update();
            if let Some(begun) = now {
                return begun;
            }
            // The sender lives as long as `self`.
            let _ = begun.changed().await;
        }
    }

    /// Waits until everybody has had time enough.
    pub(crate) async fn deadline(&self) {
        match self.begun().await.checked_add(self.timeout) {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }
}

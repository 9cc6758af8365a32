use tokio::sync::watch;

use crate::error::Close;

/// A wish to close, which the first to ask sets.
#[derive(Debug, Default)]
pub(crate) struct Closing(watch::Sender<Option<Close>>);

impl Closing {
    pub(crate) fn ask(&self, close: Close) {
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(close);
            first
        });
    }

    pub(crate) fn get(&self) -> Option<Close> {
        self.0.borrow().clone()
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) -> Close {
        let mut asked = self.0.subscribe();
        loop {
            let now = asked.borrow_and_update().clone();
            if let Some(close) = now {
                return close;
            }
            // The sender lives as long as `self`.
            let _ = asked.changed().await;
        }
    }
}

use tokio::sync::SetOnce;

use crate::error::Close;

/// A wish to close, which the first to ask sets.
#[derive(Debug, Default)]
pub(crate) struct Closing(SetOnce<Close>);

impl Closing {
    pub(crate) fn ask(&self, close: Close) {
        // The first to ask has said with what.
        let _ = self.0.set(close);
    }

    pub(crate) fn get(&self) -> Option<Close> {
        self.0.get().cloned()
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) -> Close {
        self.0.wait().await.clone()
    }
}

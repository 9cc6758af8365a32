use std::sync::Arc;

use tokio::sync::watch;

use crate::proto::settings::Settings;

/// The peer's SETTINGS, once they have come.
#[derive(Debug, Default)]
pub(crate) struct PeerSettings(watch::Sender<Option<Arc<Settings>>>);

impl PeerSettings {
    pub(crate) fn set(&self, settings: Settings) {
        self.0.send_replace(Some(Arc::new(settings)));
    }

    pub(crate) fn get(&self) -> Option<Arc<Settings>> {
        self.0.borrow().clone()
    }

    /// Waits for them.
    pub(crate) async fn known(&self) -> Arc<Settings> {
        let mut peer = self.0.subscribe();
        loop {
            let now = peer.borrow_and_update().clone();
            if let Some(settings) = now {
                return settings;
            }
            // The sender lives as long as `self`.
            let _ = peer.changed().await;
        }
    }

    /// How many sessions the peer admits: none until it has said so.
    pub(crate) fn max_sessions(&self) -> u64 {
        self.get().map_or(0, |peer| peer.max_sessions())
    }

    /// How large a header section the peer takes.
    pub(crate) fn max_field_section(&self) -> u64 {
        let max = self.get().and_then(|peer| peer.max_field_section());
        max.unwrap_or(u64::MAX)
    }
}

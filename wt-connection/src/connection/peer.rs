use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::proto::settings::Settings;

/// The peer's SETTINGS, once they have come.
#[derive(Debug, Default)]
pub(crate) struct PeerSettings(SetOnce<Arc<Settings>>);

impl PeerSettings {
    pub(crate) fn set(&self, settings: Settings) {
        // They come once: a second frame of them ends the connection.
        let _ = self.0.set(Arc::new(settings));
    }

    pub(crate) fn get(&self) -> Option<Arc<Settings>> {
        self.0.get().cloned()
    }

    /// Waits for them.
    pub(crate) async fn known(&self) -> Arc<Settings> {
        Arc::clone(self.0.wait().await)
    }

    /// How many sessions the peer admits: none until it has said so.
    pub(crate) fn max_sessions(&self) -> u64 {
        self.0.get().map_or(0, |peer| peer.max_sessions())
    }

    /// How large a header section the peer takes.
    pub(crate) fn max_field_section(&self) -> u64 {
        let max = self.0.get().and_then(|peer| peer.max_field_section());
        max.unwrap_or(u64::MAX)
    }
}

use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::proto::credit::Credit;
use crate::proto::generation::Generation;
use crate::proto::settings::Settings;

/// The peer's SETTINGS, once they have come, and what follows from them.
#[derive(Debug, Default)]
pub(crate) struct PeerSettings(SetOnce<Peer>);

#[derive(Debug)]
struct Peer {
    settings: Arc<Settings>,
    /// `None` if it announces none that this side does.
    generation: Option<Generation>,
    flow_control: bool,
}

impl PeerSettings {
    /// Notes what the peer announces, to which this side announces `ours`.
    pub(crate) fn set(&self, settings: Settings, ours: &Settings) {
        // They come once: a second frame of them ends the connection.
        let _ = self.0.set(Peer::new(settings, ours));
    }

    /// Says whether who goes by those that are set may go on so, now that the peer announces
    /// `next`.
    pub(crate) fn keeps(&self, next: &Settings, ours: &Settings) -> bool {
        let next = Peer::new(next.clone(), ours);
        self.0.get().is_none_or(|set| next.keeps(set))
    }

    pub(crate) fn get(&self) -> Option<Arc<Settings>> {
        self.0.get().map(|peer| Arc::clone(&peer.settings))
    }

    /// Waits for them.
    pub(crate) async fn known(&self) -> Arc<Settings> {
        Arc::clone(&self.0.wait().await.settings)
    }

    /// Says whether the peer announces a generation that this side does, too.
    pub(crate) fn speaks_webtransport(&self) -> bool {
        self.0.get().is_some_and(|peer| peer.generation.is_some())
    }

    /// What the connection goes by.
    pub(crate) fn generation(&self) -> Generation {
        let announced = self.0.get().and_then(|peer| peer.generation);
        announced.unwrap_or(UNTOLD)
    }

    /// What the peer allows in each session, if that is bounded.
    pub(crate) fn credit(&self) -> Option<Credit> {
        let peer = self.0.get().filter(|peer| peer.flow_control)?;
        Some(Credit::of(&peer.settings))
    }

    /// How many sessions the peer admits: none until it has said so.
    pub(crate) fn max_sessions(&self) -> u64 {
        self.0.get().map_or(0, |peer| {
            let generation = peer.generation.unwrap_or(UNTOLD);
            peer.settings.max_sessions(generation, peer.flow_control)
        })
    }

    /// Says whether the rules allow more than one session at a time.
    pub(crate) fn allows_several(&self) -> bool {
        let one = |peer: &Peer| !peer.flow_control && peer.generation >= Some(Generation::Draft13);
        !self.0.get().is_some_and(one)
    }

    /// How large a header section the peer takes.
    pub(crate) fn max_field_section(&self) -> u64 {
        let max = |peer: &Peer| peer.settings.max_field_section();
        self.0.get().and_then(max).unwrap_or(u64::MAX)
    }
}

impl Peer {
    fn new(settings: Settings, ours: &Settings) -> Self {
        let generation = Generation::of(ours, &settings);
        let both = |by| settings.flow_control(by) && ours.flow_control(by);
        Self {
            flow_control: both(generation.unwrap_or(UNTOLD)),
            settings: Arc::new(settings),
            generation,
        }
    }

    /// By the same rules, and no number less.
    fn keeps(&self, earlier: &Self) -> bool {
        self.generation == earlier.generation
            && self.flow_control == earlier.flow_control
            && self.settings.keeps(&earlier.settings)
    }
}

/// Of a peer that announces none: clients of drafts 09 to 14 need not.
const UNTOLD: Generation = Generation::Draft07;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::draft;

    /// What a server of drafts 07 to 12 announces, without flow control.
    fn old() -> Settings {
        Settings::new()
            .with(draft::ENABLE_CONNECT_PROTOCOL, 1)
            .with(draft::H3_DATAGRAM, 1)
            .with(draft::MAX_SESSIONS_07, 2)
    }

    #[test]
    fn more_is_kept_to_and_a_newer_draft_is_not() {
        let ours = Settings::ours(16, 8192, Credit::default(), false);
        let set = PeerSettings::default();
        assert!(set.keeps(&old(), &ours), "nothing is set");
        set.set(old(), &ours);

        assert!(set.keeps(&old(), &ours));
        assert!(set.keeps(&old().with(draft::MAX_SESSIONS_02, 3), &ours));
        assert!(!set.keeps(&old().with(draft::ENABLED_15, 1), &ours));
    }
}

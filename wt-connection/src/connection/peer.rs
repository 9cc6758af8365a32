use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::proto::credit::Credit;
use crate::proto::draft;
use crate::proto::generation::Generation;
use crate::proto::settings::Settings;

/// The peer's SETTINGS, once they have come, and what follows from them.
#[derive(Debug, Default)]
pub(crate) struct PeerSettings(SetOnce<Peer>);

/// What one announces, and what follows from it.
#[derive(Debug)]
pub(crate) struct Peer {
    settings: Arc<Settings>,
    /// `None` if it announces none that this side does.
    generation: Option<Generation>,
    flow_control: bool,
    /// It takes datagrams, those of QUIC and those of HTTP/3.
    datagrams: bool,
}

impl PeerSettings {
    /// Notes what the peer announces, for those who wait for it.
    pub(crate) fn set(&self, peer: Peer) {
        // They come once: a second frame of them ends the connection.
        let _ = self.0.set(peer);
    }

    /// Says whether who goes by those that are set may go on so, now that the peer announces
    /// `next`.
    pub(crate) fn keeps(&self, next: &Peer) -> bool {
        self.0.get().is_none_or(|set| next.keeps(set))
    }

    pub(crate) fn get(&self) -> Option<Arc<Settings>> {
        self.0.get().map(|peer| Arc::clone(&peer.settings))
    }

    /// Waits for them.
    pub(crate) async fn known(&self) -> Arc<Settings> {
        Arc::clone(&self.0.wait().await.settings)
    }

    /// Says whether the peer, a server, announces all that a session needs.
    pub(crate) fn admits_sessions(&self) -> bool {
        let admits = |peer: &Peer| {
            peer.generation.is_some() && peer.settings.extended_connect() && peer.datagrams
        };
        self.0.get().is_some_and(admits)
    }

    /// Says whether sessions of the peer's, a client, are malformed.
    pub(crate) fn lacks_requirements(&self) -> bool {
        self.0.get().is_some_and(Peer::lacks_requirements)
    }

    /// Says whether the peer, a server, may know the names of subprotocols as Tokens alone, as
    /// drafts 10 to 12 have them. One that speaks an older draft, too, knows them as Strings, as
    /// browsers send them.
    pub(crate) fn takes_tokens(&self) -> bool {
        let older = [draft::ENABLE_WEBTRANSPORT_02, draft::ENABLE_06];
        self.0.get().is_some_and(|peer| {
            peer.generation == Some(Generation::Draft07)
                && older.iter().all(|id| peer.settings.get(*id).is_none())
        })
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
        self.0.get().is_none_or(Peer::allows_several)
    }

    /// How large a header section the peer takes.
    pub(crate) fn max_field_section(&self) -> u64 {
        let max = |peer: &Peer| peer.settings.max_field_section();
        self.0.get().and_then(max).unwrap_or(u64::MAX)
    }
}

impl Peer {
    /// What it announces, by HTTP/3 and whether it takes datagrams by QUIC, to whom this side
    /// announces `ours`.
    pub(crate) fn new(settings: Settings, datagrams: bool, ours: &Settings) -> Self {
        let generation = Generation::of(ours, &settings);
        let both = |by| settings.flow_control(by) && ours.flow_control(by);
        Self {
            flow_control: both(generation.unwrap_or(UNTOLD)),
            datagrams: datagrams && settings.datagrams(),
            settings: Arc::new(settings),
            generation,
        }
    }

    /// Says whether it has announced one of drafts 15 and 16, and takes no datagrams, which they
    /// require: its sessions are malformed ([draft 16, §3.1]). RESET_STREAM_AT, which they require,
    /// too, is not asked for: this side has none either. Older clients are taken as they are.
    ///
    /// [draft 16, §3.1]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-3.1
    pub(crate) fn lacks_requirements(&self) -> bool {
        self.generation >= Some(Generation::Draft15) && !self.datagrams
    }

    pub(crate) fn allows_several(&self) -> bool {
        self.flow_control || self.generation < Some(Generation::Draft13)
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
        let keeps = |next| set.keeps(&Peer::new(next, true, &ours));
        assert!(keeps(old()), "nothing is set");
        set.set(Peer::new(old(), true, &ours));

        assert!(keeps(old()));
        assert!(keeps(old().with(draft::MAX_SESSIONS_02, 3)));
        assert!(!keeps(old().with(draft::ENABLED_15, 1)));
    }
}

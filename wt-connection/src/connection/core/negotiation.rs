use tokio::sync::Semaphore;

use crate::connection::Core;
use crate::connection::resumption::Resumption;
use crate::proto::code;
use crate::proto::control::Side;
use crate::proto::fault::ConnectionFault;
use crate::proto::generation::Generation;
use crate::proto::settings::Settings;

/// What both sides announce, and what follows from it.
impl Core {
    /// Goes by what the server announced on another connection, if it is to be told something
    /// before it can announce anything.
    pub(crate) fn recall(&self) {
        let recalled = self.resumption.as_ref().and_then(Resumption::recall);
        if let Some(settings) = recalled
            && !self.handshake.is_done()
        {
            self.apply_peer(settings);
        }
    }

    /// Takes in the peer's SETTINGS. A client that goes by others already goes on so: the server
    /// may announce more than before, not less, nor what changes the rules of what it was sent
    /// ([RFC 9114 §7.2.4.2](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4.2)).
    pub(crate) fn set_peer(&self, settings: Settings) -> Result<(), ConnectionFault> {
        if let Some(resumption) = &self.resumption {
            resumption.keep(settings.clone());
        }
        match self.peer.get() {
            None => {
                self.apply_peer(settings);
                Ok(())
            }
            Some(_) if self.peer.keeps(&settings, &self.settings()) => Ok(()),
            Some(_) => Err(CHANGED),
        }
    }

    fn apply_peer(&self, settings: Settings) {
        self.peer.set(settings, &self.settings());
        if !self.peer.allows_several() {
            self.sessions.admit_one();
        }
        if self.lacks_requirements() {
            for _ in 0..self.requests.refuse_connects(code::H3_MESSAGE_ERROR) {
                self.count_error();
            }
        }
        if self.side == Side::Client {
            self.room
                .add_permits(self.max_sessions().min(Semaphore::MAX_PERMITS));
        }
    }

    /// Says whether the peer has announced a draft, and not all that it requires: its sessions are
    /// malformed ([draft 16, §3.1]). Clients of drafts before 15 are taken as they are.
    ///
    /// [draft 16, §3.1]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-3.1
    pub(crate) fn lacks_requirements(&self) -> bool {
        let strict = self.peer.generation() >= Generation::Draft15;
        strict
            && self
                .peer
                .get()
                .is_some_and(|peer| !self.takes_datagrams(&peer))
    }

    /// Says whether the peer takes datagrams, those of QUIC and those of HTTP/3.
    pub(crate) fn takes_datagrams(&self, peer: &Settings) -> bool {
        peer.datagrams() && self.quinn.max_datagram_size().is_some()
    }

    /// This side's SETTINGS.
    pub(crate) fn settings(&self) -> Settings {
        Settings::ours(
            self.limits.max_sessions.into(),
            self.limits.header_block as u64,
            self.limits.credit,
            self.side == Side::Server,
        )
    }

    /// How many sessions may be open at once: the client's number comes from the server.
    pub(crate) fn max_sessions(&self) -> usize {
        let max = match self.side {
            Side::Client => self.peer.max_sessions(),
            Side::Server if !self.peer.allows_several() => 1,
            Side::Server => self.limits.max_sessions.into(),
        };
        usize::try_from(max).unwrap_or(usize::MAX)
    }
}

const CHANGED: ConnectionFault = ConnectionFault::new(
    code::H3_SETTINGS_ERROR,
    "less was announced, or by other rules, than on the connection before",
);

use tokio::sync::Semaphore;

use crate::connection::Core;
use crate::connection::peer::Peer;
use crate::connection::resumption::Resumption;
use crate::proto::code;
use crate::proto::control::Side;
use crate::proto::fault::ConnectionFault;
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
            self.apply_peer(self.peer_of(settings));
        }
    }

    /// Takes in the peer's SETTINGS. A client that goes by others already goes on so: the server
    /// may announce more than before, not less, nor what changes the rules of what it was sent
    /// ([RFC 9114 §7.2.4.2](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4.2)).
    pub(crate) fn set_peer(&self, settings: Settings) -> Result<(), ConnectionFault> {
        if let Some(resumption) = &self.resumption {
            resumption.keep(settings.clone());
        }
        let peer = self.peer_of(settings);
        match self.peer.get() {
            None => {
                self.apply_peer(peer);
                Ok(())
            }
            Some(_) if self.peer.keeps(&peer) => Ok(()),
            Some(_) => Err(CHANGED),
        }
    }

    fn peer_of(&self, settings: Settings) -> Peer {
        let datagrams = self.quinn.max_datagram_size().is_some();
        Peer::new(settings, datagrams, &self.settings())
    }

    fn apply_peer(&self, peer: Peer) {
        // Before those who wait for the peer's SETTINGS look at its requests.
        if !peer.allows_several() {
            self.sessions.admit_one();
        }
        if peer.lacks_requirements() {
            for _ in 0..self.requests.refuse_connects(code::H3_MESSAGE_ERROR) {
                self.count_error();
            }
        }
        self.peer.set(peer);
        if self.side == Side::Client {
            self.room
                .add_permits(self.max_sessions().min(Semaphore::MAX_PERMITS));
        }
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

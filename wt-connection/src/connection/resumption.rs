use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig};
use rustls::ClientConfig;

use crate::lock::Lock;
use crate::proto::settings::Settings;

/// What is kept of servers for connections that resume: their tickets, and what they have
/// announced, for their SETTINGS come too late for what is sent with the first packet ([RFC 9114
/// §7.2.4.2]).
///
/// rustls keeps tickets by the name alone, and sends the newest: of several servers of one name,
/// each would be sent those of the others, and reject what came with them.
///
/// [RFC 9114 §7.2.4.2]: https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4.2
#[derive(Debug)]
pub(crate) struct Memory {
    tls: Arc<ClientConfig>,
    servers: Lock<HashMap<Server, Known>>,
}

/// A server by the name that its certificate has, and its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    name: String,
    address: SocketAddr,
}

#[derive(Debug)]
struct Known {
    tickets: rustls::client::Resumption,
    /// What it announced last.
    settings: Option<Settings>,
}

/// One server's place in a [`Memory`].
#[derive(Clone, Debug)]
pub(crate) struct Resumption {
    memory: Arc<Memory>,
    server: Server,
}

impl Memory {
    /// Begins with none; `tls` is what there is to all.
    pub(crate) fn new(tls: Arc<ClientConfig>) -> Arc<Self> {
        let servers = Lock::default();
        Arc::new(Self { tls, servers })
    }
}

impl Resumption {
    pub(crate) fn new(memory: &Arc<Memory>, name: &str, address: SocketAddr) -> Self {
        Self {
            memory: Arc::clone(memory),
            server: Server {
                name: name.to_owned(),
                address,
            },
        }
    }

    /// The configuration to connect with, which has this server's tickets.
    pub(crate) fn tls(&self) -> Result<QuicClientConfig, NoInitialCipherSuite> {
        let mut tls = ClientConfig::clone(&self.memory.tls);
        tls.resumption = self.with(|known| known.tickets.clone());
        QuicClientConfig::try_from(tls)
    }

    /// What the server announced last.
    pub(crate) fn recall(&self) -> Option<Settings> {
        let servers = self.memory.servers.lock();
        servers.get(&self.server)?.settings.clone()
    }

    pub(crate) fn keep(&self, settings: Settings) {
        self.with(|known| known.settings = Some(settings));
    }

    /// Forgets a server that has made nothing of what it was sent early.
    pub(crate) fn forget(&self) {
        self.memory.servers.lock().remove(&self.server);
    }

    /// Changes what is kept of the server, which may be nothing yet.
    fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut servers = self.memory.servers.lock();
        if servers.len() >= MOST_SERVERS && !servers.contains_key(&self.server) {
            // Whichever: it costs one connection to that server a round trip.
            let one = servers.keys().next().cloned();
            one.and_then(|server| servers.remove(&server));
        }
        change(servers.entry(self.server.clone()).or_default())
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            tickets: rustls::client::Resumption::in_memory_sessions(TICKETS),
            settings: None,
        }
    }
}

const MOST_SERVERS: usize = 256;
/// As many as rustls keeps of one server.
const TICKETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trust;

    #[test]
    fn as_many_servers_are_remembered_as_there_is_room_for() {
        let memory = Memory::new(Trust::hashes([]).client_config(false, true).unwrap());
        let server = |port| Resumption::new(&memory, "localhost", ([127, 0, 0, 1], port).into());

        for port in 1..=300 {
            server(port).keep(Settings::new());
        }

        let known = (1..=300).filter(|port| server(*port).recall().is_some());
        assert_eq!(known.count(), MOST_SERVERS);
        assert_eq!(server(300).recall(), Some(Settings::new()));
        server(300).forget();
        assert_eq!(server(300).recall(), None);
    }
}

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::lock::Lock;
use crate::proto::settings::Settings;

/// What servers have announced, kept for connections that resume: their SETTINGS come too late for
/// what is sent with the first packet ([RFC 9114 §7.2.4.2]).
///
/// [RFC 9114 §7.2.4.2]: https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4.2
#[derive(Debug, Default)]
pub(crate) struct Memory(Lock<HashMap<Server, Settings>>);

/// A server by the name that its certificate has, and its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    name: String,
    address: SocketAddr,
}

/// One server's place in a [`Memory`].
#[derive(Clone, Debug)]
pub(crate) struct Resumption {
    memory: Arc<Memory>,
    server: Server,
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

    /// What the server announced last.
    pub(crate) fn recall(&self) -> Option<Settings> {
        self.memory.0.lock().get(&self.server).cloned()
    }

    pub(crate) fn keep(&self, settings: Settings) {
        let mut servers = self.memory.0.lock();
        if servers.len() >= MOST_SERVERS && !servers.contains_key(&self.server) {
            // Whichever: it costs one connection to that server a round trip.
            let one = servers.keys().next().cloned();
            one.and_then(|server| servers.remove(&server));
        }
        servers.insert(self.server.clone(), settings);
    }

    /// Forgets a server that has made nothing of what it was sent early.
    pub(crate) fn forget(&self) {
        self.memory.0.lock().remove(&self.server);
    }
}

/// As many as rustls keeps tickets of.
const MOST_SERVERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_servers_are_remembered_as_there_is_room_for() {
        let memory = Arc::<Memory>::default();
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

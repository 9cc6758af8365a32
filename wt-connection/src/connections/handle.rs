use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::WeakConnection;
use crate::connections::registry::Registry;
use crate::connections::reservation::Reservation;
use crate::error::{AddError, Close};
use crate::proto::capsule;
use crate::{Connection, ConnectionId, ConnectionsStats};

/// The live connections of a process, made or accepted: a limit, a count, lookup, the end of idle
/// ones, and of all.
///
/// A connection is added by hand, and leaves the moment it is over. Being here keeps none open: one
/// whose last handle is dropped closes as ever, and counts until it is over.
///
/// ```
/// use wt_connection::Connections;
/// # use tower::ServiceExt;
/// # use wt_connection::{Connector, Endpoint, Identity, Trust};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let identity = Identity::self_signed(["localhost"])?;
/// # let trust = Trust::hashes([identity.certificate_hash()]);
/// # let server = Endpoint::server("127.0.0.1:0".parse()?, identity)?;
/// # let target = server.local_address()?.into();
/// # let client = tokio::spawn(Connector::new(Endpoint::client(trust)?).oneshot(target));
/// let connections = Connections::new().max_connections(100);
///
/// let connection = server.accept().await.ok_or("closed")?.await?;
/// # let _client = client.await??;
/// connections.add(&connection)?;
/// assert_eq!(connections.get(connection.id()).map(|found| found.id()), Some(connection.id()));
///
/// connections.shutdown(0, "back in an hour").await;
/// assert!(connections.is_empty());
/// assert_eq!(connections.stats().ended, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Clone
///
/// Clones are handles on the same connections, and share the settings, which may be set at any
/// time. With the last of them nothing ends but the watch for idle connections.
#[derive(Clone)]
pub struct Connections {
    registry: Arc<Registry>,
}

impl Connections {
    /// Begins without connections, and with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self {
            registry: Registry::new(),
        }
    }

    /// Sets how many connections may be in it at once; 3,000 by default.
    ///
    /// A lower limit sends nobody away.
    ///
    /// # Panics
    ///
    /// Panics if `max_connections` is 0.
    #[must_use]
    pub fn max_connections(self, max_connections: usize) -> Self {
        assert!(
            max_connections > 0,
            "a place for no connection is of no use"
        );
        self.registry.set_max(max_connections);
        self
    }

    /// Sets how long the application may leave a connection unused
    /// ([`last_activity`](Connection::last_activity)) before it is closed, with code 0 and the
    /// reason "idle"; 60 s by default. `None` closes none.
    ///
    /// # Panics
    ///
    /// Panics if `idle_timeout` is zero.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        assert!(
            idle_timeout != Some(Duration::ZERO),
            "every connection would be idle"
        );
        self.registry.set_idle_timeout(idle_timeout);
        self
    }

    /// Sets how often idle connections are looked for; 5 s by default.
    ///
    /// # Panics
    ///
    /// Panics if `idle_check_interval` is zero.
    #[must_use]
    pub fn idle_check_interval(self, idle_check_interval: Duration) -> Self {
        assert!(
            !idle_check_interval.is_zero(),
            "looking all the time leaves time for nothing else"
        );
        self.registry.set_idle_check_interval(idle_check_interval);
        self
    }

    /// Adds a connection; one that is there already stays, and counts once.
    ///
    /// # Errors
    ///
    /// Fails if it is full or shut down, which is counted, or if the connection is over. What
    /// becomes of the connection is the caller's to say.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn add(&self, connection: &Connection) -> Result<(), AddError> {
        if connection.state().is_final() {
            return Err(AddError::Over);
        }
        let reservation = self.registry.reserve_for(connection.id())?;
        if let Some(reservation) = reservation {
            reservation.fill(connection);
        }
        Ok(())
    }

    /// Takes a connection out, and leaves it open; `None` if it is not there, or its last handle is
    /// gone.
    pub fn remove(&self, id: ConnectionId) -> Option<Connection> {
        self.registry.remove(id)?.upgrade()
    }

    /// Begins to close every connection at once, as [`Connection::close`] does, whether or not the
    /// future is awaited; the future ends when all of these are over.
    ///
    /// None waits for another. Those that are closing already keep their code, and new ones may
    /// still be added.
    pub fn close_all(&self, code: u32, reason: &str) -> impl Future<Output = ()> + Send + 'static {
        let close = Close::new(code, capsule::truncate_reason(reason));
        close_each(&self.registry.all(), &close)
    }

    /// Closes every connection as [`close_all`](Self::close_all) does, and from here on refuses
    /// whatever is added.
    ///
    /// Everybody may call, and wait until all are over.
    pub fn shutdown(&self, code: u32, reason: &str) -> impl Future<Output = ()> + Send + 'static {
        let close = Close::new(code, capsule::truncate_reason(reason));
        close_each(&self.registry.shut(close.clone()), &close)
    }

    /// The connection of this name; `None` if it is not there, or its last handle is gone.
    #[must_use]
    pub fn get(&self, id: ConnectionId) -> Option<Connection> {
        self.registry.get(id)?.upgrade()
    }

    /// Every connection that somebody has a handle of, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Connection> {
        let all = self.registry.all();
        all.iter().filter_map(WeakConnection::upgrade).collect()
    }

    /// How many connections are in it, those that are closing among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.registry.counts().open
    }

    /// Says whether no connection is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts those that are in it, by state, and those that have been.
    #[must_use]
    pub fn stats(&self) -> ConnectionsStats {
        let (counts, all) = self.registry.snapshot();
        ConnectionsStats::new(counts, all.iter().map(WeakConnection::state))
    }

    /// Keeps a place for a connection whose handshake is not done; `None` if there is none, which
    /// is counted.
    pub(crate) fn reserve(&self) -> Option<Reservation> {
        self.registry.reserve().ok()
    }

    /// How many places are kept and not filled.
    pub(crate) fn handshakes(&self) -> usize {
        self.registry.counts().reserved
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("open", &self.len())
            .field("handshakes", &self.handshakes())
            .finish_non_exhaustive()
    }
}

/// Begins to close all of these, and waits until they are over.
fn close_each(
    connections: &[WeakConnection],
    close: &Close,
) -> impl Future<Output = ()> + Send + use<> {
    let cores: Vec<_> = connections
        .iter()
        .filter_map(WeakConnection::core)
        .inspect(|core| core.closing.ask(close.clone()))
        .collect();
    async move {
        for core in cores {
            core.ended().await;
        }
    }
}

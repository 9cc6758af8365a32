use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use quinn::crypto::rustls::QuicClientConfig;
use tokio::time::timeout;

use crate::connection::{Memory, Owner, Resumption};
use crate::error::{Close, EndpointError};
use crate::proto::{capsule, code};
use crate::settings::Timing;
use crate::{EndpointBuilder, Incoming, Limits, ServerIdentity, Transport, Trust, wire};

/// One local UDP socket with TLS, shared by every connection that is made or accepted on it.
///
/// ```no_run
/// use wt_connection::{Endpoint, Identity, Trust};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Endpoint::client(Trust::system()?)?;
/// let server = Endpoint::server(
///     "[::]:4433".parse()?,
///     Identity::pem_files("chain.pem", "key.pem")?,
/// )?;
/// let both = Endpoint::builder()
///     .identity(Identity::pem_files("chain.pem", "key.pem")?)
///     .trust(Trust::system()?)
///     .bind()?;
/// # Ok(())
/// # }
/// ```
///
/// A cheap handle, whose clones are the same socket. The socket is closed when the last handle and
/// the last connection are gone. A process that ends should await [`close`](Self::close) first:
/// otherwise what was not yet sent is lost, and peers notice the end by their idle timeout.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    quinn: quinn::Endpoint,
    client: Client,
    transport: Transport,
    limits: Limits,
    owner: Owner,
    accepting: Accepting,
}

/// How connections are accepted on an endpoint.
#[derive(Default)]
pub(crate) struct Accepting {
    /// What each connection's own settings are made from, if it needs any.
    pub(crate) per_connection: Option<quinn::ServerConfig>,
    /// Clients are asked for no certificate.
    pub(crate) anonymous: bool,
    /// Requests for sessions are processed as they come, though they may come again.
    pub(crate) early_data: bool,
}

/// How connections are made on an endpoint.
#[derive(Clone)]
pub(crate) enum Client {
    /// Not at all.
    None,
    Tls {
        tls: Arc<QuicClientConfig>,
        /// With it, connections resume where they can.
        memory: Option<Arc<Memory>>,
    },
    /// By the default that the user has set.
    Quinn,
}

impl Endpoint {
    /// Binds a socket for a client, on any address of both families.
    ///
    /// # Errors
    ///
    /// Fails if there is no socket to be had, or `trust` cannot be used.
    pub fn client(trust: Trust) -> Result<Self, EndpointError> {
        Self::builder().trust(trust).bind()
    }

    /// Binds a socket for a server; `[::]` is any address of both families.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound, or `identity` cannot be used.
    pub fn server(
        address: SocketAddr,
        identity: impl Into<ServerIdentity>,
    ) -> Result<Self, EndpointError> {
        Self::builder().address(address).identity(identity).bind()
    }

    /// Takes a QUIC endpoint of yours: it accepts by its own server configuration, and connects by
    /// its default client configuration, both with the ALPN `h3`, whatever a connector's transport.
    ///
    /// Its limit of bidirectional streams, 100 by quinn's default, should leave room for
    /// [`Limits::max_sessions`].
    #[must_use]
    pub fn from_quinn(quinn: quinn::Endpoint, limits: Limits) -> Self {
        let accepting = Accepting::default();
        Self::new(
            quinn,
            Client::Quinn,
            Transport::default(),
            limits,
            accepting,
        )
    }

    /// Begins an endpoint with settings of its own.
    pub fn builder() -> EndpointBuilder {
        EndpointBuilder::new()
    }

    pub(crate) fn new(
        quinn: quinn::Endpoint,
        client: Client,
        transport: Transport,
        limits: Limits,
        accepting: Accepting,
    ) -> Self {
        let owner = Owner::default();
        let shared = Shared {
            quinn,
            client,
            transport,
            limits,
            owner,
            accepting,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Waits for the next connection that a client makes; `None` once the endpoint is closed, or if
    /// it is no server.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection not yet returned stays queued for the next call.
    pub async fn accept(&self) -> Option<Incoming> {
        tokio::select! {
            biased;
            _ = self.owner().closing() => None,
            incoming = self.quic().accept() => Some(Incoming::new(incoming?, self.clone())),
        }
    }

    /// Closes the endpoint: each connection as by [`Connection::close`](crate::Connection::close),
    /// then the socket.
    ///
    /// The connections begin to close at once; awaited, it refuses those that nobody has accepted,
    /// and ends when the last packet is out. An endpoint that is closing already keeps its code;
    /// everybody who calls may wait. Peers that may not have heard of the end are told again for
    /// three probe timeouts of QUIC's each, and for three seconds at most.
    pub fn close(&self, code: u32, reason: &str) -> impl Future<Output = ()> + Send + 'static {
        let close = Close::new(code, capsule::truncate_reason(reason));
        self.owner().close(close.clone());
        let shared = Arc::clone(&self.shared);
        async move {
            shared.owner.idle().await;
            shared
                .quinn
                .close(wire::varint(code::H3_NO_ERROR), close.reason().as_bytes());
            // QUIC refuses who comes from here on, and forgets who waits already.
            while let Some(incoming) = shared.quinn.accept().await {
                incoming.refuse();
            }
            // Not for long: a peer decides how long that may take, and of one whose first packet
            // said that it gives up, quinn holds on to the connection until the idle timeout.
            let _ = timeout(LINGER, shared.quinn.wait_idle()).await;
        }
    }

    /// The local address; its port is the one that the system chose if none was given.
    ///
    /// # Errors
    ///
    /// Fails if the system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.shared.quinn.local_addr()
    }

    /// How many connections are open, or not yet forgotten.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.quinn.open_connections()
    }

    /// The QUIC endpoint below, for what this crate does not offer.
    #[must_use]
    pub fn quic(&self) -> &quinn::Endpoint {
        &self.shared.quinn
    }

    pub(crate) fn connecting(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.shared.owner
    }

    pub(crate) fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Says whether a client may be told something before it has proved who it is: it never will.
    pub(crate) fn accepts_anybody(&self) -> bool {
        self.shared.accepting.anonymous
    }

    /// Where what a server announces is kept, if connections resume.
    pub(crate) fn resumption(&self, name: &str, address: SocketAddr) -> Option<Resumption> {
        match &self.shared.client {
            Client::Tls {
                memory: Some(memory),
                ..
            } => Some(Resumption::new(memory, name, address)),
            _ => None,
        }
    }

    pub(crate) fn takes_early_data(&self) -> bool {
        self.shared.accepting.early_data
    }

    /// The address at which a peer sees this side, whose socket may be bound to the wildcard.
    pub(crate) fn address_seen_by(&self, ip: Option<IpAddr>) -> Option<SocketAddr> {
        let bound = self.local_address().ok()?;
        let address = SocketAddr::new(ip.unwrap_or_else(|| bound.ip()), bound.port());
        Some(wire::canonical(address))
    }

    /// What an accepted connection tells of its transport.
    pub(crate) fn timing(&self) -> Timing {
        match self.shared.client {
            // It accepts by settings of its own, too.
            Client::Quinn => Timing::default(),
            Client::None | Client::Tls { .. } => self.shared.transport.timing(),
        }
    }

    /// The settings for one more accepted connection, unless the endpoint's serve all.
    pub(crate) fn server_config(&self) -> Option<Arc<quinn::ServerConfig>> {
        let mut config = self.shared.accepting.per_connection.clone()?;
        config.transport_config(self.shared.transport.config(&self.shared.limits));
        Some(Arc::new(config))
    }
}

/// As [`Endpoint::from_quinn`], with the default limits.
impl From<quinn::Endpoint> for Endpoint {
    fn from(quinn: quinn::Endpoint) -> Self {
        Self::from_quinn(quinn, Limits::default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("local_address", &self.local_address().ok())
            .field("open_connections", &self.open_connections())
            .finish_non_exhaustive()
    }
}

/// About three probe timeouts of a connection whose round trip is not known yet.
const LINGER: Duration = Duration::from_secs(3);

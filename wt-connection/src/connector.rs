use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use quinn::congestion::ControllerFactory;
use quinn::crypto::rustls::NoInitialCipherSuite;
use tower_service::Service;

use crate::connecting::{Attempt, Early, Setup};
use crate::connection::handshake;
use crate::endpoint::Client;
use crate::error::{ConnectError, OpenError};
use crate::race::Race;
use crate::resolve::Resolver;
use crate::settings::Timing;
use crate::{
    Connecting, Connection, Endpoint, Limits, Session, Target, TlsError, Transport, trace,
};

/// Makes connections: a tower service of [`Target`] in, [`Connection`] out.
///
/// ```no_run
/// use std::time::Duration;
///
/// use tower::ServiceExt;
/// use wt_connection::{Connector, Endpoint, Target, Trust};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new(Endpoint::client(Trust::system()?)?)
///     .connect_timeout(Duration::from_secs(3));
/// let target: Target = "https://example.com:4433".parse()?;
/// let connection = connector.oneshot(target).await?;
/// let session = connection.open("/echo").await?;
/// # Ok(())
/// # }
/// ```
///
/// Host names are resolved, and all their addresses raced
/// ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305)): each begins 250 ms after the one before,
/// or at once when that one has failed.
///
/// It is always ready. A clone shares the endpoint, and has settings of its own.
#[derive(Clone, Debug)]
pub struct Connector {
    endpoint: Endpoint,
    connect_timeout: Duration,
    transport: Transport,
    limits: Limits,
    resolver: Resolver,
}

impl Connector {
    /// Connects from `endpoint`, which must have been given a [`Trust`](crate::Trust).
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connect_timeout: Duration::from_secs(30),
            transport: Transport::default(),
            limits: Limits::default(),
            resolver: Resolver::default(),
        }
    }

    /// Sets how long a connection may take in all, from its name to its SETTINGS; 30 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, connect_timeout: Duration) -> Self {
        self.connect_timeout = connect_timeout;
        self
    }

    /// Sets the time of silence after which a PING keeps the path open; 10 s by default.
    #[must_use]
    pub fn keep_alive_interval(mut self, keep_alive_interval: Option<Duration>) -> Self {
        self.transport = self.transport.keep_alive_interval(keep_alive_interval);
        self
    }

    /// Sets the silence after which the server counts as gone; 30 s by default.
    ///
    /// # Panics
    ///
    /// Panics if it is longer than 2^62 milliseconds.
    #[must_use]
    pub fn max_idle_timeout(mut self, max_idle_timeout: Option<Duration>) -> Self {
        self.transport = self.transport.max_idle_timeout(max_idle_timeout);
        self
    }

    /// Sets the congestion controller; quinn's default (CUBIC) otherwise.
    ///
    /// Its state is wrapped: `quinn::Connection::congestion_state` gives none of its type.
    #[must_use]
    pub fn congestion_controller(
        mut self,
        factory: Arc<dyn ControllerFactory + Send + Sync + 'static>,
    ) -> Self {
        self.transport = self.transport.congestion_controller(factory);
        self
    }

    /// Sets all of QUIC's settings, or a [`quinn::TransportConfig`] of your own.
    ///
    /// None of QUIC's settings made here count for an [`Endpoint`] made from a
    /// [`quinn::Endpoint`], which connects by its own.
    #[must_use]
    pub fn transport(mut self, transport: impl Into<Transport>) -> Self {
        self.transport = transport.into();
        self
    }

    /// Sets what a server may occupy.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how a host's name, with a port, becomes addresses; the system's resolver by default.
    ///
    /// The order of the addresses is the order of preference.
    #[must_use]
    pub fn resolver<R, F>(mut self, resolve: R) -> Self
    where
        R: Fn(String, u16) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.resolver = Resolver::new(resolve);
        self
    }

    /// Connects to a URL, and opens a session at its path.
    ///
    /// The connection lives as long as the session; [`Session::connection`] has it.
    ///
    /// # Errors
    ///
    /// Fails if the URL names no target, no connection is made, or no session opened.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is not yet returned is given up.
    pub async fn open(&self, url: &str) -> Result<Session, OpenError> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| ConnectError::InvalidTarget(error.into()))?;
        let target = Target::try_from(&uri).map_err(ConnectError::InvalidTarget)?;
        let connection = self.clone().call(target).await?;
        connection.open(uri).await
    }

    async fn connect(self, target: Target, attempt: Attempt) -> Result<Connection, ConnectError> {
        let mut addresses = self.resolve(&target).await?;
        let is_known = |&address: &SocketAddr| {
            let server = self.endpoint.resumption(target.tls_name(), address);
            server.is_some_and(|server| server.recall().is_some())
        };
        if let Some(known) = addresses.iter().position(is_known) {
            addresses[..=known].rotate_right(1);
        }
        let dial = |address| self.dial(address, target.tls_name());
        let race = Race::new(addresses, dial, |new, old| {
            let unreachable = |error| matches!(error, &ConnectError::Unreachable(_));
            unreachable(old) && !unreachable(new)
        });
        let (quinn, local_ip, early) = race.await?;
        let setup = Setup {
            owner: self.endpoint.owner().clone(),
            limits: self.limits,
            timing: self.timing(),
            local_address: self.endpoint.address_seen_by(local_ip),
            authority: target.authority().clone(),
            serves_http: false,
            early,
        };
        setup.establish(quinn, attempt).await
    }

    fn timing(&self) -> Timing {
        let of_quic = match self.endpoint.connecting() {
            Client::Quinn => Timing::default(),
            Client::None | Client::Tls { .. } => self.transport.timing(),
        };
        Timing {
            connect_timeout: Some(self.connect_timeout),
            ..of_quic
        }
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Some(addresses) = target.known_addresses() {
            return Ok(addresses);
        }
        let resolved = self.resolver.resolve(target.host(), target.port()).await;
        let addresses = resolved.map_err(ConnectError::NameNotFound)?;
        if addresses.is_empty() {
            return Err(ConnectError::NameNotFound(io::ErrorKind::NotFound.into()));
        }
        Ok(addresses)
    }

    /// Makes a QUIC connection, and says which address of this machine's leads there.
    async fn dial(
        &self,
        address: SocketAddr,
        server_name: &str,
    ) -> Result<(quinn::Connection, Option<IpAddr>, Early), ConnectError> {
        let endpoint = self.endpoint.quic();
        let local = endpoint.local_addr().map_err(ConnectError::Unreachable)?;
        let local_ip = find_route(local, address).map_err(ConnectError::Unreachable)?;
        let resumption = self.endpoint.resumption(server_name, address);
        let connecting = match self.endpoint.connecting() {
            Client::Tls { tls, .. } => {
                let tls = match &resumption {
                    Some(server) => Arc::new(server.tls().map_err(not_for_quic)?),
                    None => Arc::clone(tls),
                };
                let mut config = quinn::ClientConfig::new(tls);
                config.transport_config(self.transport.config(&self.limits));
                endpoint.connect_with(config, address, server_name)
            }
            Client::Quinn => endpoint.connect(address, server_name),
            Client::None => Err(quinn::ConnectError::NoDefaultClientConfig),
        };
        let (quinn, handshake) = match &resumption {
            Some(server) if server.recall().is_some() => handshake::before(connecting?).await?,
            _ => (connecting?.await?, None),
        };
        let early = Early {
            handshake,
            resumption,
            takes: false,
        };
        Ok((quinn, local_ip, early))
    }
}

impl Service<Target> for Connector {
    type Response = Connection;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Target) -> Connecting {
        let connector = self.clone();
        let to = target.clone();
        let connecting = Connecting::new(self.connect_timeout, |attempt| {
            connector.connect(to, attempt)
        });
        let span = trace::connect(connecting.id(), &target);
        connecting.inside(span)
    }
}

/// Opens a session at a URL: `https://host:port/path`, verified by the system's root certificates,
/// with every setting at its default.
///
/// For more than one connection, or any setting, keep a [`Connector`]. Before the process ends,
/// close the connection and wait: `session.connection().close(0, "").await`.
///
/// # Errors
///
/// Fails if the URL names no target, no connection is made, or no session opened.
///
/// # Cancel safety
///
/// Cancel safe: what is not yet returned is given up.
///
/// # Panics
///
/// Panics outside a tokio runtime.
pub async fn connect(url: &str) -> Result<Session, OpenError> {
    let endpoint = crate::Trust::system()
        .map_err(Into::into)
        .and_then(Endpoint::client)
        .map_err(ConnectError::Endpoint)?;
    Connector::new(endpoint).open(url).await
}

fn not_for_quic(error: NoInitialCipherSuite) -> ConnectError {
    ConnectError::Endpoint(TlsError::NotForQuic(error.into()).into())
}

/// Asks the system for a route, which sends nothing, and for the address that it begins at: QUIC's
/// own socket takes an address without one for lost packets.
fn find_route(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<IpAddr>> {
    let from = match (local, remote) {
        (SocketAddr::V6(any), SocketAddr::V4(_)) if any.ip().is_unspecified() => {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        }
        (local, _) => SocketAddr::new(local.ip(), 0),
    };
    // Without a socket to ask with, the attempt itself will tell.
    let Ok(socket) = UdpSocket::bind(from) else {
        return Ok(None);
    };
    socket.connect(remote)?;
    Ok(socket.local_addr().ok().map(|address| address.ip()))
}

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use socket2::{Domain, Socket, Type};

use crate::connection::Memory;
use crate::endpoint::{Accepting, Client};
use crate::error::EndpointError;
use crate::reset_key::ResetKey;
use crate::{Endpoint, Limits, ServerIdentity, TlsError, Transport, Trust};

/// What an [`Endpoint`] is made from.
///
/// With a [`trust`](Self::trust) it can connect, with an [`identity`](Self::identity) accept.
#[derive(Debug)]
#[must_use = "an endpoint exists only once it is bound"]
pub struct EndpointBuilder {
    address: Option<SocketAddr>,
    trust: Option<Trust>,
    identity: Option<ServerIdentity>,
    transport: Transport,
    limits: Limits,
    reset_key: Option<Secret>,
    key_log: bool,
    early_data: bool,
}

impl EndpointBuilder {
    pub(crate) fn new() -> Self {
        Self {
            address: None,
            trust: None,
            identity: None,
            transport: Transport::default(),
            limits: Limits::default(),
            reset_key: None,
            key_log: false,
            early_data: false,
        }
    }

    /// Sets the local address; any address of both families, and any port, by default.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets whom connections made here believe; without it, none are made.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Sets the certificate that clients are shown; without it, none are accepted.
    pub fn identity(mut self, identity: impl Into<ServerIdentity>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Sets QUIC's settings for accepted connections; those of made ones are the
    /// [`Connector`](crate::Connector)'s.
    pub fn transport(mut self, transport: impl Into<Transport>) -> Self {
        self.transport = transport.into();
        self
    }

    /// Sets the limits of accepted connections; those of made ones are the
    /// [`Connector`](crate::Connector)'s.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the key of stateless resets; random by default.
    ///
    /// A server that has restarted, on the same address and with the same key, can tell the peers
    /// of its past self that their connections are lost; without, they learn it by the idle
    /// timeout. The key must be secret and random: whoever has it can end connections.
    pub fn stateless_reset_key(mut self, key: [u8; 64]) -> Self {
        self.reset_key = Some(Secret(key));
        self
    }

    /// Lets connections resume with early data, which saves a round trip; off by default.
    ///
    /// A client connects at once to a server that it knows, and sends what is
    /// [fit for it](crate::EarlyData) with the first packet; a server processes that as it comes.
    /// Everything else waits for the handshake, on both sides.
    ///
    /// A server that does not know the client any more, as one that has restarted, makes nothing of
    /// what it was sent: the connection is over with
    /// [`ConnectionError::EarlyDataRejected`](crate::ConnectionError::EarlyDataRejected), and the
    /// next one begins anew.
    ///
    /// A name with several addresses is connected to at the one that is known. If that is silent,
    /// the connection is over after the [`Connector`](crate::Connector)'s connect timeout, and the
    /// next one tries all of them.
    ///
    /// Tickets of servers are kept in memory, by name and address, whatever
    /// [a rustls configuration](Trust::rustls) has for that.
    pub fn early_data(mut self, early_data: bool) -> Self {
        self.early_data = early_data;
        self
    }

    /// Writes TLS secrets to the file that the environment variable `SSLKEYLOGFILE` names, for
    /// decrypting captures; off by default.
    pub fn key_log(mut self, key_log: bool) -> Self {
        self.key_log = key_log;
        self
    }

    /// Binds the socket.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound, or the trust or the identity cannot be used.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn bind(self) -> Result<Endpoint, EndpointError> {
        let client = match &self.trust {
            Some(trust) => {
                let tls = trust.client_config(self.key_log, self.early_data)?;
                Client::Tls {
                    memory: self.early_data.then(|| Memory::new(Arc::clone(&tls))),
                    tls: Arc::new(
                        QuicClientConfig::try_from(tls)
                            .map_err(|error| TlsError::NotForQuic(error.into()))?,
                    ),
                }
            }
            None => Client::None,
        };
        let server = self.server_config()?;
        let config = match self.reset_key {
            Some(Secret(key)) => ResetKey::new(key).endpoint_config(),
            None => quinn::EndpointConfig::default(),
        };
        let socket = self.socket().map_err(EndpointError::Bind)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let quinn = quinn::Endpoint::new(config, server.clone(), socket, runtime)
            .map_err(EndpointError::Bind)?;
        let accepting = Accepting {
            per_connection: server.filter(|_| self.transport.is_per_connection()),
            anonymous: self
                .identity
                .as_ref()
                .is_some_and(ServerIdentity::asks_no_client),
            early_data: self.early_data,
        };
        Ok(Endpoint::new(
            quinn,
            client,
            self.transport,
            self.limits,
            accepting,
        ))
    }

    fn server_config(&self) -> Result<Option<quinn::ServerConfig>, TlsError> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let crypto =
            QuicServerConfig::try_from(identity.server_config(self.key_log, self.early_data)?)
                .map_err(|error| TlsError::NotForQuic(error.into()))?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        // Settings that each connection has of its own are made as it is accepted.
        if !self.transport.is_per_connection() {
            config.transport_config(self.transport.config(&self.limits));
        }
        Ok(Some(config))
    }

    fn socket(&self) -> io::Result<UdpSocket> {
        match self.address {
            Some(address) => bind(address),
            // A machine without IPv6 still has the other family.
            None => bind((Ipv6Addr::UNSPECIFIED, 0).into())
                .or_else(|_| bind((Ipv4Addr::UNSPECIFIED, 0).into())),
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        // Where the system insists on one family, that one will do.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// A key that no log shows.
struct Secret([u8; 64]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Identity, Limits, Session, Trust};

use crate::common::tls::Tls;

/// A server and a client of ours.
pub(crate) struct Ours {
    pub(crate) server: Endpoint,
    pub(crate) connector: Connector,
}

/// A server and a client of quinn's alone.
pub(crate) struct Bare {
    pub(crate) server: quinn::Endpoint,
    pub(crate) client: quinn::Endpoint,
}

impl Ours {
    pub(crate) fn new(tls: &Tls) -> Self {
        Self::limited(tls, Limits::default().max_sessions(128))
    }

    /// Without flow control of each session.
    pub(crate) fn uncontrolled(tls: &Tls) -> Self {
        Self::limited(
            tls,
            Limits::default().max_sessions(128).without_flow_control(),
        )
    }

    fn limited(tls: &Tls, limits: Limits) -> Self {
        let identity = Identity::new(vec![tls.certificate.clone()], tls.key()).unwrap();
        let trust = Trust::rustls(tls.client());
        let server = Endpoint::builder()
            .address((Ipv4Addr::LOCALHOST, 0).into())
            .identity(identity)
            .transport(transport())
            .limits(limits)
            .bind()
            .unwrap();
        let client = Endpoint::builder()
            .address((Ipv4Addr::LOCALHOST, 0).into())
            .trust(trust)
            .bind()
            .unwrap();
        let connector = Connector::new(client).transport(transport()).limits(limits);
        Self { server, connector }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_address().unwrap()
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_to(self.address()).await
    }

    pub(crate) async fn connect_to(&self, server: SocketAddr) -> Connection {
        self.connector.clone().oneshot(server.into()).await.unwrap()
    }

    /// A connection with so many sessions, seen from both ends.
    pub(crate) async fn sessions(&self, count: usize) -> (Vec<Session>, Vec<Session>) {
        let accept = async {
            let connection = self.server.accept().await.unwrap().await.unwrap();
            let mut sessions = Vec::new();
            for _ in 0..count {
                let request = connection.accept().await.unwrap();
                sessions.push(request.accept().await.unwrap());
            }
            sessions
        };
        let open = async {
            let connection = self.connect().await;
            let mut sessions = Vec::new();
            for _ in 0..count {
                sessions.push(connection.open("/").await.unwrap());
            }
            sessions
        };
        tokio::join!(open, accept)
    }
}

impl Bare {
    pub(crate) fn new(tls: &Tls) -> Self {
        let crypto = QuicServerConfig::try_from(tls.server()).unwrap();
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport());
        let server = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let mut client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let crypto = QuicClientConfig::try_from(tls.client()).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport());
        client.set_default_client_config(config);
        Self { server, client }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr().unwrap()
    }

    pub(crate) async fn connect(&self) -> quinn::Connection {
        self.connect_to(self.address()).await
    }

    pub(crate) async fn connect_to(&self, server: SocketAddr) -> quinn::Connection {
        let name = server.ip().to_string();
        self.client.connect(server, &name).unwrap().await.unwrap()
    }

    /// A connection, seen from both ends.
    pub(crate) async fn connection(&self) -> (quinn::Connection, quinn::Connection) {
        let accept = async { self.server.accept().await.unwrap().await.unwrap() };
        tokio::join!(self.connect(), accept)
    }
}

/// Without probes for the path's MTU, which is known: in bursts of handshakes they overflow the
/// sockets' buffers, and a lost handshake costs a second.
fn transport() -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport
        .initial_mtu(1452)
        .mtu_discovery_config(None)
        .max_concurrent_bidi_streams(256_u32.into());
    Arc::new(transport)
}

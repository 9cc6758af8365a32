use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Identity, Limits, Session, Trust};

/// One certificate, for both sides of a comparison.
pub(crate) struct Tls {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

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

impl Tls {
    pub(crate) fn new() -> Self {
        let names = [Ipv4Addr::LOCALHOST.to_string()];
        let certified = rcgen::generate_simple_self_signed(names).unwrap();
        Self {
            certificate: certified.cert.into(),
            key: certified.signing_key.serialize_der().into(),
        }
    }

    pub(crate) fn ours(&self) -> Ours {
        self.limited(Limits::default().max_sessions(128))
    }

    /// A server and a client whose sessions have no flow control of their own.
    pub(crate) fn ours_uncontrolled(&self) -> Ours {
        self.limited(Limits::default().without_flow_control())
    }

    fn limited(&self, limits: Limits) -> Ours {
        let key = self.key.clone_key().into();
        let identity = Identity::new(vec![self.certificate.clone()], key).unwrap();
        let trust = Trust::rustls(self.client());
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
        Ours { server, connector }
    }

    pub(crate) fn bare(&self) -> Bare {
        let mut server = self.server();
        server.transport_config(transport());
        let server = quinn::Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let mut client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let crypto = QuicClientConfig::try_from(self.client()).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport());
        client.set_default_client_config(config);
        Bare { server, client }
    }

    fn server(&self) -> quinn::ServerConfig {
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key().into())
            .unwrap();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let crypto = QuicServerConfig::try_from(tls).unwrap();
        quinn::ServerConfig::with_crypto(Arc::new(crypto))
    }

    /// Without resumption: every handshake is a whole one.
    fn client(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.resumption = Resumption::disabled();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        tls
    }
}

impl Ours {
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

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
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

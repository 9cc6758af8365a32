//! A server that a client knows from a connection before.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use tower::ServiceExt;
use wt_connection::{
    Connection, ConnectionError, Connector, EarlyData, Endpoint, Identity, Limits, ServerIdentity,
    Session, SessionRequest, Trust,
};

use super::hostile::H3_SETTINGS_ERROR;
use super::{LOOPBACK, address, target};

/// A server that a client has had a connection to.
pub(crate) struct Known {
    pub(crate) server: Endpoint,
    pub(crate) connector: Connector,
    pub(crate) identity: ServerIdentity,
    pub(crate) takes: bool,
}

impl Known {
    /// Begins with a server that `takes` early data, or none.
    pub(crate) async fn new(takes: bool) -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        Self::by(identity.into(), trust, takes).await
    }

    /// Begins with one that keeps its tickets when it restarts.
    pub(crate) async fn lasting(takes: bool) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from(certified.cert);
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        tls.max_early_data_size = u32::MAX;
        let trust = Trust::roots([certificate]).unwrap();
        Self::by(tls.into(), trust, takes).await
    }

    async fn by(identity: ServerIdentity, trust: Trust, takes: bool) -> Self {
        let local = LOOPBACK.parse().unwrap();
        let client = Endpoint::builder().address(local).trust(trust);
        let known = Self {
            server: bind(local, &identity, takes, Limits::default()).await,
            connector: Connector::new(client.early_data(true).bind().unwrap()),
            identity,
            takes,
        };
        let connect = async {
            let client = known.connect().await;
            let session = client.open("/").await.unwrap();
            (client, session)
        };
        let accept = async {
            let (server, request) = known.accept().await;
            (server, request.accept().await.unwrap())
        };
        let ((first, session), (server, accepted)) = tokio::join!(connect, accept);
        converse(&session, &accepted).await;
        first.close(0, "").await;
        server.closed().await;
        known
    }

    pub(crate) async fn connect(&self) -> Connection {
        let connector = self.connector.clone();
        connector.oneshot(target(&self.server)).await.unwrap()
    }

    /// A connection, and a request for a session on it.
    pub(crate) async fn accept(&self) -> (Connection, SessionRequest) {
        let connection = self.server.accept().await.unwrap().await.unwrap();
        let request = connection.accept().await.unwrap();
        (connection, request)
    }

    /// Connects, which ends over the server's SETTINGS.
    pub(crate) async fn is_broken_with(&self) {
        let served = tokio::spawn(serve(self.server.clone()));
        let ended = self.connect().await.closed().await;
        let ConnectionError::Protocol { code, .. } = ended else {
            panic!("ended otherwise: {ended}");
        };
        assert_eq!(code, H3_SETTINGS_ERROR);
        served.abort();
    }

    /// Connects by what is known of the server.
    pub(crate) async fn connects_early(&self) {
        let served = tokio::spawn(serve(self.server.clone()));
        let client = self.connect().await;
        let session = client.open_early(fit()).await.unwrap();
        session.accepted().await.unwrap();
        client.close(0, "").await;
        served.abort();
    }

    /// Puts another server in the place of this one.
    pub(crate) async fn restart(&mut self, limits: Limits) {
        let local = address(&self.server);
        self.server.close(0, "").await;
        // The address is free once the last handle is gone.
        let elsewhere = LOOPBACK.parse().unwrap();
        self.server = bind(elsewhere, &self.identity, self.takes, limits).await;
        self.server = bind(local, &self.identity, self.takes, limits).await;
    }
}

/// Binds as soon as the address is free.
pub(crate) async fn bind(
    address: SocketAddr,
    identity: &ServerIdentity,
    takes: bool,
    limits: Limits,
) -> Endpoint {
    loop {
        let builder = Endpoint::builder().address(address).limits(limits);
        match builder.identity(identity.clone()).early_data(takes).bind() {
            Ok(server) => return server,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Accepts every connection, and every session on it.
pub(crate) async fn serve(server: Endpoint) {
    while let Some(incoming) = server.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await.unwrap();
            while let Ok(request) = connection.accept().await {
                let session = request.accept().await.unwrap();
                tokio::spawn(async move { session.closed().await });
            }
        });
    }
}

/// A request for a session that may be processed twice.
pub(crate) fn fit() -> Request<()> {
    Request::get("/").extension(EarlyData).body(()).unwrap()
}

/// Shows that the session works, both ways.
pub(crate) async fn converse(client: &Session, server: &Session) {
    let mut uni = client.open_uni().await.unwrap();
    uni.write_all(b"up").await.unwrap();
    uni.finish().unwrap();
    let mut there = server.accept_uni().await.unwrap();
    assert_eq!(there.read_to_end(10).await.unwrap(), b"up");
    let mut uni = server.open_uni().await.unwrap();
    uni.write_all(b"down").await.unwrap();
    uni.finish().unwrap();
    let mut here = client.accept_uni().await.unwrap();
    assert_eq!(here.read_to_end(10).await.unwrap(), b"down");
}

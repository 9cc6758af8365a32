//! Parts of the user's own: QUIC endpoints, connections, settings.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::bounded::{until, within};
use common::{LOOPBACK, connections, connector, pair, server_builder, session};
use quinn::congestion::{BbrConfig, Controller, ControllerFactory, NewRenoConfig};
use rustls::pki_types::CertificateDer;
use tower::ServiceExt;
use wt_connection::{
    ConnectError, Connection, ConnectionError, ConnectionState, Connector, Endpoint, Limits,
    OpenError, Transport,
};

#[tokio::test]
async fn a_quic_endpoint_of_ones_own_accepts_and_connects() {
    within(async {
        let (server, certificate) = own_server();
        let client = common::bare::client(certificate);
        let connector = Connector::new(Endpoint::from(client));

        let (client, there) = connections(&Endpoint::from(server), &connector).await;

        works(&client, &there).await;
    })
    .await;
}

#[tokio::test]
async fn a_quic_endpoint_without_client_settings_cannot_connect() {
    within(async {
        let (server, _) = own_server();
        let address = server.local_addr().unwrap();
        let connector = Connector::new(Endpoint::from(server));

        let error = connector.oneshot(address.into()).await.unwrap_err();

        assert!(matches!(error, ConnectError::Local(_)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_quic_endpoint_without_server_settings_accepts_nobody() {
    within(async {
        let (_, certificate) = own_server();
        let endpoint = Endpoint::from(common::bare::client(certificate));
        endpoint.close(0, "").await;

        assert!(endpoint.accept().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn quic_connections_of_ones_own_carry_sessions() {
    within(async {
        let (client, server) = own_connections().await;

        let limits = Limits::default().max_sessions(5);
        let server = Connection::from_quinn(server, limits);
        let client = Connection::from_quinn(client, Limits::default());
        let (client, server) = tokio::join!(client, server);

        let (client, server) = (client.unwrap(), server.unwrap());
        works(&client, &server).await;
        assert_eq!(client.max_sessions(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_quic_connection_of_ones_own_is_closed_with_its_last_handle() {
    within(async {
        let (client, server) = own_connections().await;
        let seen = server.clone();
        let server = Connection::from_quinn(server, Limits::default());
        let client = Connection::from_quinn(client, Limits::default());
        let (client, server) = tokio::join!(client, server);

        drop(client.unwrap());

        assert!(server.unwrap().closed().await.is_orderly());
        assert!(ConnectionError::from(seen.closed().await).is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_quic_connection_of_ones_own_that_is_over_is_lost() {
    within(async {
        let (client, server) = own_connections().await;
        server.close(9_u32.into(), b"");
        client.closed().await;

        let mut connecting = Connection::from_quinn(client, Limits::default());
        let error = (&mut connecting).await.unwrap_err();

        assert!(matches!(error, ConnectError::Lost(_)), "{error:?}");
        assert_eq!(connecting.state(), ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn transport_settings_of_ones_own_are_used_as_they_are() {
    within(async {
        let (server, connector) = pair();
        let mut config = quinn::TransportConfig::default();
        let idle = Duration::from_millis(300);
        config.max_idle_timeout(Some(idle.try_into().unwrap()));
        let began = tokio::time::Instant::now();

        let connector = connector.transport(config);
        let (client, _there) = connections(&server, &connector).await;

        // No keep-alive of ours was added.
        assert_eq!(client.closed().await, ConnectionError::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(3));
    })
    .await;
}

#[tokio::test]
async fn transport_settings_of_ones_own_serve() {
    within(async {
        let (identity, builder) = server_builder();
        let mut config = quinn::TransportConfig::default();
        config.max_concurrent_bidi_streams(1_u32.into());
        let server = builder.transport(config).bind().unwrap();
        let (client, there) = connections(&server, &connector(&identity)).await;
        let (opened, _accepted) = session(&client, &there).await;

        // The session has taken the only stream that the server allows.
        let second = tokio::time::timeout(Duration::from_millis(100), opened.open_bi()).await;

        assert!(second.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_congestion_controller_of_ones_own_is_asked_for_by_both_sides() {
    within(async {
        let (there, here) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
        let (identity, builder) = server_builder();
        let transport = Transport::default().congestion_controller(there.clone());
        let server = builder.transport(transport).bind().unwrap();
        let connector = connector(&identity).congestion_controller(here.clone());

        let (client, server) = connections(&server, &connector).await;

        works(&client, &server).await;
        assert_eq!(here.0.load(Ordering::Relaxed), 1);
        assert_eq!(there.0.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test]
async fn bbr_carries_a_session() {
    within(async {
        let (server, connector) = pair();
        let connector = connector.congestion_controller(Arc::new(BbrConfig::default()));

        let (client, there) = connections(&server, &connector).await;

        works(&client, &there).await;
    })
    .await;
}

#[cfg(feature = "qlog")]
#[tokio::test]
async fn each_side_of_a_connection_writes_a_qlog_of_its_own() {
    within(async {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("qlog");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let logged = Transport::default().qlog(&folder);
        let (identity, builder) = server_builder();
        let server = builder.transport(logged.clone()).bind().unwrap();
        let connector = connector(&identity).transport(logged);

        for _ in 0..2 {
            let (client, there) = connections(&server, &connector).await;
            works(&client, &there).await;
            client.close(0, "").await;
            there.closed().await;
        }
        server.close(0, "").await;
        drop((server, connector));

        // quinn lets go of a connection, and so of its file, a moment after the endpoint is idle.
        until(|| {
            let files = std::fs::read_dir(&folder).unwrap();
            let logs: Vec<String> = files
                .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
                .collect();
            logs.len() == 4 && logs.iter().all(|log| log.contains("qlog"))
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_server_side_connection_of_ones_own_opens_no_session() {
    within(async {
        let (client, server) = own_connections().await;
        let server = Connection::from_quinn(server, Limits::default());
        let client = Connection::from_quinn(client, Limits::default());
        let (_client, server) = tokio::join!(client, server);

        let error = server.unwrap().open("/").await.unwrap_err();

        assert!(matches!(error, OpenError::NotClient), "{error:?}");
    })
    .await;
}

/// NewReno, which counts the connections that ask for it.
#[derive(Default)]
struct Counting(AtomicUsize);

impl ControllerFactory for Counting {
    #[expect(clippy::disallowed_types, reason = "the trait's own signature")]
    fn build(self: Arc<Self>, now: std::time::Instant, current_mtu: u16) -> Box<dyn Controller> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Arc::new(NewRenoConfig::default()).build(now, current_mtu)
    }
}

async fn works(client: &Connection, server: &Connection) {
    let (opened, accepted) = session(client, server).await;
    let mut sent = opened.open_bi().await.unwrap();
    sent.send.write_all(b"question").await.unwrap();
    sent.send.finish().unwrap();
    let mut received = accepted.accept_bi().await.unwrap();
    assert_eq!(received.recv.read_to_end(100).await.unwrap(), b"question");
}

/// A server of HTTP/3 as quinn makes it, and its certificate.
fn own_server() -> (quinn::Endpoint, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "::1".to_owned()]);
    let made = made.unwrap();
    let certificate = made.cert.der().clone();
    let mut tls = rustls::ServerConfig::builder_with_provider(common::bare::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], made.signing_key.into())
        .unwrap();
    tls.alpn_protocols.push(b"h3".to_vec());
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, LOOPBACK.parse().unwrap());
    (endpoint.unwrap(), certificate)
}

async fn own_connections() -> (quinn::Connection, quinn::Connection) {
    let (server, certificate) = own_server();
    let address = server.local_addr().unwrap();
    let client = common::bare::client(certificate);
    let connecting = client.connect(address, "localhost").unwrap();
    let accepted = async { server.accept().await.unwrap().await.unwrap() };
    let (client, server) = tokio::join!(connecting, accepted);
    (client.unwrap(), server)
}

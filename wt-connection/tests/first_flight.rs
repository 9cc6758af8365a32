//! What a server says before the handshake is over.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::bounded::within;
use common::path::Path;
use common::{LOOPBACK, address, raw, server_builder};
use rustls::server::WebPkiClientVerifier;
use tokio::time::timeout;
use wt_connection::{ConnectError, Connection, Endpoint, Identity, ServerIdentity};

#[tokio::test]
async fn settings_leave_with_the_servers_first_flight() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let path = Path::to(address(&server)).await;
        path.pass_up(1);
        let _accepted = accept(&server);

        let (client, _socket) = raw::quic_client_at(path.address, &identity).await;

        assert_settings(&client).await;
    })
    .await;
}

#[tokio::test]
async fn settings_wait_for_a_client_that_is_asked_for_a_certificate() {
    within(async {
        let (identity, server) = demanding();
        let path = Path::to(address(&server)).await;
        path.pass_up(1);
        let _accepted = accept(&server);

        let (client, _socket) = raw::quic_client_at(path.address, &identity).await;

        let early = timeout(Duration::from_millis(200), client.accept_uni()).await;
        assert!(early.is_err(), "the client has not proved itself");
        path.pass_up(usize::MAX);
        assert_settings(&client).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_no_further_than_its_first_packet_is_given_up() {
    within(async {
        let (identity, builder) = server_builder();
        let limit = Duration::from_millis(300);
        let limits = wt_connection::Limits::default().header_timeout(limit);
        let server = builder.limits(limits).bind().unwrap();
        let path = Path::to(address(&server)).await;
        path.pass_up(1);
        let accepted = accept(&server);

        let (client, _socket) = raw::quic_client_at(path.address, &identity).await;

        let error = accepted.await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::TimedOut), "{error}");
        client.closed().await;
    })
    .await;
}

fn accept(server: &Endpoint) -> tokio::task::JoinHandle<Result<Connection, ConnectError>> {
    let server = server.clone();
    tokio::spawn(async move { server.accept().await.unwrap().await })
}

async fn assert_settings(client: &quinn::Connection) {
    let mut control = client.accept_uni().await.unwrap();
    let mut opening = [0; 2];
    control.read_exact(&mut opening).await.unwrap();
    assert_eq!(opening, [0x00, 0x04], "a control stream with SETTINGS");
}

/// A server that asks its clients for certificates, and serves those without one, too.
fn demanding() -> (Identity, Endpoint) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = vec![certified.cert.into()];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let identity = Identity::new(chain.clone(), key.clone_key().into()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key.into())
        .unwrap();
    let server = Endpoint::server(LOOPBACK.parse().unwrap(), ServerIdentity::from(tls));
    (identity, server.unwrap())
}

//! Bare QUIC peers, which speak HTTP/3 by hand or not at all.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
#[cfg(not(feature = "ring"))]
use rustls::crypto::aws_lc_rs as crypto;
#[cfg(feature = "ring")]
use rustls::crypto::ring as crypto;
use rustls::pki_types::CertificateDer;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, DangerousNoVerification, Endpoint, Target, Trust};

use crate::common::LOOPBACK;

/// A server of this application protocol, or of none.
pub(crate) fn server(alpn: Option<&[u8]>) -> quinn::Endpoint {
    server_by(server_tls(alpn))
}

fn server_by(tls: rustls::ServerConfig) -> quinn::Endpoint {
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    quinn::Endpoint::server(config, LOOPBACK.parse().unwrap()).unwrap()
}

/// A server of HTTP/3 whose first flight takes many packets: its certificate has so many names.
pub(crate) fn server_of(names: usize) -> quinn::Endpoint {
    let names = (0..names).map(|name| format!("a-name-of-many-{name}.example"));
    server_by(server_tls_of(Some(b"h3"), names.collect()))
}

pub(crate) fn server_crypto(alpn: Option<&[u8]>) -> QuicServerConfig {
    QuicServerConfig::try_from(server_tls(alpn)).unwrap()
}

pub(crate) fn server_tls(alpn: Option<&[u8]>) -> rustls::ServerConfig {
    server_tls_of(alpn, vec!["localhost".to_owned()])
}

fn server_tls_of(alpn: Option<&[u8]>, names: Vec<String>) -> rustls::ServerConfig {
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], made.signing_key.into())
        .unwrap();
    tls.alpn_protocols.extend(alpn.map(<[u8]>::to_vec));
    tls
}

/// What a client of HTTP/3 trusts `root` with.
pub(crate) fn client_config(root: CertificateDer<'static>) -> quinn::ClientConfig {
    let mut tls = client_tls(root);
    tls.alpn_protocols.push(b"h3".to_vec());
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

pub(crate) fn client_tls(root: CertificateDer<'static>) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(crypto::default_provider())
}

/// A client of HTTP/3 without anything that it would say by itself.
pub(crate) fn client(root: CertificateDer<'static>) -> quinn::Endpoint {
    let mut endpoint = quinn::Endpoint::client(LOOPBACK.parse().unwrap()).unwrap();
    endpoint.set_default_client_config(client_config(root));
    endpoint
}

/// A connector that believes every server.
pub(crate) fn connector() -> Connector {
    let trust = Trust::from(DangerousNoVerification);
    let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    Connector::new(builder.trust(trust).bind().unwrap())
}

pub(crate) fn target(server: &quinn::Endpoint) -> Target {
    server.local_addr().unwrap().into()
}

/// Accepts a connection, and opens a control stream with these settings.
pub(crate) async fn accept(
    server: &quinn::Endpoint,
    settings: &[(u64, u64)],
) -> (quinn::Connection, quinn::SendStream) {
    let connection = server.accept().await.unwrap().await.unwrap();
    let control = open_control(&connection, settings).await;
    (connection, control)
}

/// A connection of ours to a peer that lets so many unidirectional streams be open, and looks at
/// none.
pub(crate) async fn peer(streams: u32) -> (Connection, (quinn::Connection, quinn::SendStream)) {
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(server_crypto(Some(b"h3"))));
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_uni_streams(streams.into());
    config.transport_config(Arc::new(transport));
    let server = quinn::Endpoint::server(config, LOOPBACK.parse().unwrap()).unwrap();
    let connect = connector().oneshot(target(&server));
    let (client, peer) = tokio::join!(connect, accept(&server, WEBTRANSPORT));
    (client.unwrap(), peer)
}

/// Opens a control stream, which has to be kept as long as the connection.
pub(crate) async fn open_control(
    connection: &quinn::Connection,
    settings: &[(u64, u64)],
) -> quinn::SendStream {
    let mut control = connection.open_uni().await.unwrap();
    let opening = control_stream(settings);
    control.write_all(&opening).await.unwrap();
    control
}

/// The start of a control stream.
fn control_stream(settings: &[(u64, u64)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(id, value)| [varint(*id), varint(*value)].concat())
        .collect();
    let length = varint(payload.len() as u64);
    [vec![CONTROL, SETTINGS], length, payload].concat()
}

/// The frame by which a server says that it serves no request from `id` on.
pub(crate) fn goaway(id: u64) -> Vec<u8> {
    let id = varint(id);
    [vec![GOAWAY], varint(id.len() as u64), id].concat()
}

fn varint(value: u64) -> Vec<u8> {
    let value = quinn::VarInt::from_u64(value).unwrap();
    let mut bytes = Vec::new();
    quinn_proto::coding::Codec::encode(&value, &mut bytes);
    bytes
}

/// Settings of a server that admits four sessions.
pub(crate) const WEBTRANSPORT: &[(u64, u64)] =
    &[(0x08, 1), (0x33, 1), (0x2b60_3742, 1), (0xc671_706a, 4)];

/// Settings of a server of plain HTTP/3, as h3 sends them.
pub(crate) const PLAIN: &[(u64, u64)] = &[(0x06, 16_384), (0x08, 0), (0x33, 0)];

const CONTROL: u8 = 0x00;
const SETTINGS: u8 = 0x04;
const GOAWAY: u8 = 0x07;

/// HTTP/3's orderly end.
pub(crate) const H3_NO_ERROR: u64 = 0x100;

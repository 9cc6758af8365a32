//! A peer made of quinn alone, which writes the bytes of HTTP/3 by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wt_connection::{Connection, Connector, Endpoint, Identity, Limits, Target, Trust};

use super::{LOOPBACK, address, server_builder};

pub(crate) const H3_NO_ERROR: u64 = 0x100;
pub(crate) const H3_INTERNAL_ERROR: u64 = 0x102;
pub(crate) const H3_STREAM_CREATION_ERROR: u64 = 0x103;
pub(crate) const H3_CLOSED_CRITICAL_STREAM: u64 = 0x104;
pub(crate) const H3_MISSING_SETTINGS: u64 = 0x10a;
pub(crate) const H3_REQUEST_REJECTED: u64 = 0x10b;
pub(crate) const H3_REQUEST_CANCELLED: u64 = 0x10c;
pub(crate) const H3_REQUEST_INCOMPLETE: u64 = 0x10d;
pub(crate) const H3_MESSAGE_ERROR: u64 = 0x10e;
pub(crate) const BUFFERED_STREAM_REJECTED: u64 = 0x3994_bd84;
pub(crate) const SESSION_GONE: u64 = 0x170d_7b68;

const DATA: u64 = 0x00;
const HEADERS: u64 = 0x01;
const SETTINGS: u64 = 0x04;
const CLOSE: u64 = 0x2843;
const DRAIN: u64 = 0x78ae;

/// What enables WebTransport and says nothing about the number of sessions.
pub(crate) const ENABLED: [(u64, u64); 3] = [(0x08, 1), (0x33, 1), (0x2b60_3742, 1)];

/// One QUIC connection of the raw peer's, and its control stream.
pub(crate) struct Raw {
    pub(crate) quic: quinn::Connection,
    pub(crate) control: quinn::SendStream,
    /// The socket stays open as long as the connection is of use.
    _endpoint: quinn::Endpoint,
}

impl Raw {
    /// A connection whose control stream is open.
    pub(crate) fn new(
        quic: quinn::Connection,
        endpoint: quinn::Endpoint,
        control: quinn::SendStream,
    ) -> Self {
        Self {
            quic,
            control,
            _endpoint: endpoint,
        }
    }

    /// Opens another stream for a CONNECT, which is not written yet.
    pub(crate) async fn connect_stream(&self) -> (quinn::SendStream, quinn::RecvStream) {
        self.quic.open_bi().await.unwrap()
    }

    /// Opens a stream of a session's, with what comes after its header.
    pub(crate) async fn uni(&self, session: u64, content: &[u8]) -> quinn::SendStream {
        let mut send = self.quic.open_uni().await.unwrap();
        send.write_all(&uni_header(session)).await.unwrap();
        send.write_all(content).await.unwrap();
        send
    }

    /// Opens a stream of a session's, with what comes after its header.
    pub(crate) async fn bi(
        &self,
        session: u64,
        content: &[u8],
    ) -> (quinn::SendStream, quinn::RecvStream) {
        let (mut send, recv) = self.quic.open_bi().await.unwrap();
        send.write_all(&bi_header(session)).await.unwrap();
        send.write_all(content).await.unwrap();
        (send, recv)
    }

    pub(crate) fn datagram(&self, session: u64, payload: &[u8]) {
        let datagram = [&varint(session / 4), payload].concat();
        self.quic.send_datagram(datagram.into()).unwrap();
    }

    /// Waits until the peer closes the connection, and says with which code.
    pub(crate) async fn close_code(&self) -> u64 {
        match self.quic.closed().await {
            quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
            other => panic!("not closed by HTTP/3: {other}"),
        }
    }
}

/// A session of ours with a raw peer, and its CONNECT stream.
pub(crate) struct RawSession {
    pub(crate) peer: Raw,
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    pub(crate) session: wt_connection::Session,
    pub(crate) connection: Connection,
    /// The endpoint stays open as long as the session is of use.
    pub(crate) endpoint: Endpoint,
}

impl RawSession {
    pub(crate) fn id(&self) -> u64 {
        self.send.id().into()
    }

    /// Asks for one more session, and accepts it.
    pub(crate) async fn another(&self) -> wt_connection::Session {
        let (mut send, recv) = self.peer.connect_stream().await;
        send.write_all(&connect("/another")).await.unwrap();
        let session = self.connection.accept().await.unwrap().accept().await;
        // Dropped, they would end the session.
        tokio::spawn(async move {
            let _ = send.stopped().await;
            drop(recv);
        });
        session.unwrap()
    }
}

/// A server of ours, a raw client, and one session that the server has accepted.
pub(crate) async fn session(limits: Limits) -> RawSession {
    let (endpoint, peer, connection) = client(limits).await;
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(&connect("/")).await.unwrap();
    let session = connection.accept().await.unwrap().accept().await.unwrap();
    assert_eq!(status(&read_frame(&mut recv).await.1), "200");
    RawSession {
        peer,
        send,
        recv,
        session,
        connection,
        endpoint,
    }
}

/// A server of ours and a raw client whose SETTINGS are sent.
pub(crate) async fn client(limits: Limits) -> (Endpoint, Raw, Connection) {
    let (identity, builder) = server_builder();
    let endpoint = builder.limits(limits).bind().unwrap();
    let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
    let connect = async {
        let (quic, socket) = quic_client(&endpoint, &identity).await;
        start(quic, socket, &ENABLED).await
    };
    let (connection, peer) = tokio::join!(accept, connect);
    (endpoint, peer, connection)
}

/// A raw client that has sent nothing of HTTP/3 yet.
pub(crate) async fn quic_client(
    server: &Endpoint,
    identity: &Identity,
) -> (quinn::Connection, quinn::Endpoint) {
    quic_client_at(address(server), identity).await
}

/// A raw client of the server at an address, that has sent nothing of HTTP/3 yet.
pub(crate) async fn quic_client_at(
    server: SocketAddr,
    identity: &Identity,
) -> (quinn::Connection, quinn::Endpoint) {
    let (socket, config) = resuming_client(identity);
    let connecting = socket.connect_with(config, server, "localhost");
    (connecting.unwrap().await.unwrap(), socket)
}

/// A raw client's socket, and its settings, by which it resumes with early data where it can.
pub(crate) fn resuming_client(identity: &Identity) -> (quinn::Endpoint, quinn::ClientConfig) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.certificate_chain()[0].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls.enable_early_data = true;
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let socket = quinn::Endpoint::client(LOOPBACK.parse().unwrap()).unwrap();
    (socket, config)
}

/// Opens the raw peer's control stream.
pub(crate) async fn start(
    quic: quinn::Connection,
    endpoint: quinn::Endpoint,
    pairs: &[(u64, u64)],
) -> Raw {
    let mut control = quic.open_uni().await.unwrap();
    let opening = [varint(0), settings(pairs)].concat();
    control.write_all(&opening).await.unwrap();
    Raw::new(quic, endpoint, control)
}

/// A raw server with these SETTINGS, and a client of ours that is connected to it.
pub(crate) async fn server(pairs: &[(u64, u64)]) -> (Raw, Connection, Connector) {
    let (socket, connector, target) = raw_server();
    let accept = async {
        let quic = socket.accept().await.unwrap().await.unwrap();
        start(quic, socket.clone(), pairs).await
    };
    let connect = async { tower::ServiceExt::oneshot(connector.clone(), target).await };
    let (peer, connection) = tokio::join!(accept, connect);
    (peer, connection.unwrap(), connector)
}

/// A raw server's socket, and a client of ours that trusts it.
pub(crate) fn raw_server() -> (quinn::Endpoint, Connector, Target) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = CertificateDer::from(certified.cert);
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let crypto = QuicServerConfig::try_from(tls).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let socket = quinn::Endpoint::server(config, LOOPBACK.parse().unwrap()).unwrap();
    let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    let trust = Trust::roots([certificate]).unwrap();
    let connector = Connector::new(builder.trust(trust).bind().unwrap());
    let local = socket.local_addr().unwrap();
    let target = format!("https://localhost:{}", local.port());
    let target = target.parse::<Target>().unwrap().address(local);
    (socket, connector, target)
}

pub(crate) fn varint(value: u64) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        0x4000..0x4000_0000 => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
        _ => (value | 0xc000_0000_0000_0000).to_be_bytes().to_vec(),
    }
}

/// An HTTP/3 frame, or a capsule: both are type, length, payload.
pub(crate) fn frame(ty: u64, payload: &[u8]) -> Vec<u8> {
    [&varint(ty), &varint(payload.len() as u64), payload].concat()
}

pub(crate) fn settings(pairs: &[(u64, u64)]) -> Vec<u8> {
    let payload = pairs
        .iter()
        .flat_map(|(id, value)| [varint(*id), varint(*value)])
        .flatten()
        .collect::<Vec<_>>();
    frame(SETTINGS, &payload)
}

pub(crate) fn data(payload: &[u8]) -> Vec<u8> {
    frame(DATA, payload)
}

pub(crate) fn close_capsule(code: u32, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

pub(crate) fn drain_capsule() -> Vec<u8> {
    frame(DRAIN, &[])
}

/// A HEADERS frame that spells every field out.
pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0, 0];
    for (name, value) in fields {
        prefixed(&mut block, 0x20, 3, name.as_bytes());
        prefixed(&mut block, 0x00, 7, value.as_bytes());
    }
    frame(HEADERS, &block)
}

/// The CONNECT of a session.
pub(crate) fn connect(path: &str) -> Vec<u8> {
    connect_by("webtransport", path)
}

pub(crate) fn connect_by(protocol: &str, path: &str) -> Vec<u8> {
    headers(&[
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ])
}

pub(crate) fn response(status: &str) -> Vec<u8> {
    headers(&[(":status", status)])
}

pub(crate) fn uni_header(session: u64) -> Vec<u8> {
    [varint(0x54), varint(session)].concat()
}

pub(crate) fn bi_header(session: u64) -> Vec<u8> {
    [varint(0x41), varint(session)].concat()
}

pub(crate) async fn read_varint(recv: &mut quinn::RecvStream) -> u64 {
    let mut bytes = [0; 8];
    recv.read_exact(&mut bytes[..1]).await.unwrap();
    let len = 1 << (bytes[0] >> 6);
    bytes[0] &= 0x3f;
    recv.read_exact(&mut bytes[1..len]).await.unwrap();
    bytes[..len]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Reads a whole frame: its type and its payload.
pub(crate) async fn read_frame(recv: &mut quinn::RecvStream) -> (u64, Vec<u8>) {
    let ty = read_varint(recv).await;
    let mut payload = vec![0; read_varint(recv).await as usize];
    recv.read_exact(&mut payload).await.unwrap();
    (ty, payload)
}

/// Reads the SETTINGS at the beginning of the peer's control stream.
pub(crate) async fn read_settings(recv: &mut quinn::RecvStream) -> Vec<(u64, u64)> {
    assert_eq!(read_varint(recv).await, 0, "a control stream");
    let (ty, payload) = read_frame(recv).await;
    assert_eq!(ty, SETTINGS);
    let mut numbers = Vec::new();
    let mut rest = &payload[..];
    while !rest.is_empty() {
        let len = 1 << (rest[0] >> 6);
        let first = u64::from(rest[0] & 0x3f);
        let more = rest[1..len].iter();
        numbers.push(more.fold(first, |value, byte| value << 8 | u64::from(*byte)));
        rest = &rest[len..];
    }
    numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Reads `:status` off a response's header block, where it is first.
pub(crate) fn status(block: &[u8]) -> &str {
    match &block[2..] {
        // From the static table of RFC 9204, appendix A.
        [0xd9, ..] => "200",
        [0xdb, ..] => "404",
        [0xff, 0x04, ..] => "400",
        [0xff, 0x05, ..] => "403",
        [0xff, 0x08, ..] => "500",
        // A literal behind a name from that table.
        [0x5f, _, 3, status @ ..] => str::from_utf8(&status[..3]).unwrap(),
        other => panic!("no :status in {other:x?}"),
    }
}

/// A string behind its length, whose first byte spends `prefix` bits on it.
fn prefixed(block: &mut Vec<u8>, flags: u8, prefix: u32, string: &[u8]) {
    let mask = (1 << prefix) - 1;
    if string.len() < mask {
        block.push(flags | string.len() as u8);
    } else {
        block.push(flags | mask as u8);
        let mut rest = string.len() - mask;
        while rest > 0x7f {
            block.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(string);
}

/// The HEADERS frame of a request that asks for no session, with these fields more.
pub(crate) fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
    ];
    headers(&[&pseudo, more].concat())
}

/// Waits until the peer gives up what it sends, and says with which code.
pub(crate) async fn reset_code(recv: &mut quinn::RecvStream) -> u64 {
    match recv.read_to_end(1 << 16).await {
        Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(code))) => code.into_inner(),
        other => panic!("not reset: {other:?}"),
    }
}

/// Waits until the peer wants no more of what is sent, and says with which code.
pub(crate) async fn stop_code(send: &quinn::SendStream) -> u64 {
    send.stopped().await.unwrap().unwrap().into_inner()
}

//! Peers of plain HTTP/3 made of h3 over quinn, without any code of ours.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::future::poll_fn;

use bytes::{Buf, Bytes, BytesMut};
use h3::client::SendRequest;
use h3::quic::RecvStream;
use h3::server::RequestResolver;
use h3_quinn::{BidiStream, OpenStreams};
use http::{HeaderMap, Request, Response};
use wt_connection::{Connection, Endpoint, Identity};

use crate::common::raw;

/// h3's client.
pub(crate) struct Client {
    pub(crate) http: SendRequest<OpenStreams, Bytes>,
    pub(crate) quic: quinn::Connection,
    /// The socket stays open as long as the client is of use.
    _socket: quinn::Endpoint,
}

pub(crate) type Exchange = h3::client::RequestStream<BidiStream<Bytes>, Bytes>;

impl Client {
    pub(crate) async fn connect(server: &Endpoint, identity: &Identity) -> Self {
        let (quic, socket) = raw::quic_client(server, identity).await;
        let http = h3::client::new(h3_quinn::Connection::new(quic.clone())).await;
        let (mut driver, http) = http.unwrap();
        // It ends with the connection.
        tokio::spawn(async move { poll_fn(|cx| driver.poll_close(cx)).await });
        Self {
            http,
            quic,
            _socket: socket,
        }
    }

    /// Sends the head of a request for a path.
    pub(crate) async fn send(&self, request: Request<()>) -> Exchange {
        let (mut parts, ()) = request.into_parts();
        parts.uri = format!("https://localhost{}", parts.uri).parse().unwrap();
        let mut http = self.http.clone();
        let sent = http.send_request(Request::from_parts(parts, ())).await;
        sent.unwrap()
    }

    /// Sends a whole request, and reads its whole response.
    pub(crate) async fn ask(
        &self,
        request: Request<()>,
        body: impl Into<Option<Bytes>>,
    ) -> Response<Bytes> {
        let mut stream = self.send(request).await;
        if let Some(body) = body.into() {
            stream.send_data(body).await.unwrap();
        }
        stream.finish().await.unwrap();
        let response = stream.recv_response().await.unwrap();
        let body = content(&mut stream).await;
        assert_eq!(stream.recv_trailers().await.unwrap(), None);
        response.map(|()| body)
    }
}

/// Reads all the content of a response.
pub(crate) async fn content<S: RecvStream>(
    stream: &mut h3::client::RequestStream<S, Bytes>,
) -> Bytes {
    let mut content = BytesMut::new();
    while let Some(data) = stream.recv_data().await.unwrap() {
        content.extend_from_slice(data.chunk());
    }
    content.freeze()
}

/// h3's server, which echoes each request on one connection, and a client of ours.
pub(crate) async fn echo() -> Connection {
    let (socket, connector, target) = raw::raw_server();
    tokio::spawn(async move {
        let quic = socket.accept().await.unwrap().await.unwrap();
        serve(quic).await;
    });
    let connected = tower::ServiceExt::oneshot(connector, target).await;
    connected.unwrap()
}

async fn serve(quic: quinn::Connection) {
    let mut builder = h3::server::builder();
    builder
        .send_grease(true)
        .enable_webtransport(true)
        .enable_extended_connect(true)
        .enable_datagram(true)
        .max_webtransport_sessions(1);
    let built = builder.build::<_, Bytes>(h3_quinn::Connection::new(quic));
    let mut connection = built.await.unwrap();
    while let Ok(Some(resolver)) = connection.accept().await {
        tokio::spawn(answer(resolver));
    }
}

/// Echoes the path, the content and the trailers of a request; accepts one for a session.
async fn answer(resolver: RequestResolver<h3_quinn::Connection, Bytes>) {
    let (request, stream) = resolver.resolve_request().await.unwrap();
    let (mut send, mut recv) = stream.split();
    let length = request.headers().get("content-length");
    let mut response = Response::builder().header("x-path", request.uri().path());
    if let Some(length) = length {
        response = response.header("content-length", length);
    }
    send.send_response(response.body(()).unwrap())
        .await
        .unwrap();
    if request.extensions().get::<h3::ext::Protocol>().is_some() {
        // The streams are the session.
        return std::future::pending().await;
    }
    while let Ok(Some(mut data)) = recv.recv_data().await {
        let data = data.copy_to_bytes(data.remaining());
        send.send_data(data).await.unwrap();
    }
    if let Ok(Some(trailers)) = recv.recv_trailers().await {
        send.send_trailers(trailers).await.unwrap();
    }
    send.finish().await.unwrap();
}

pub(crate) fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "17".parse().unwrap());
    trailers
}

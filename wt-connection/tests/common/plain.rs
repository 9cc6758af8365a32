//! Plain HTTP/3: bodies, a service of ours, and requests as a raw server sees them.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::mpsc;
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, Connection, Http, RequestError, Server};

use crate::common::raw::{self, Raw};
use crate::common::{connector, server_builder, target};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Answer = Result<Response<AnyBody>, BoxError>;

/// A client of ours, connected to a server of ours that answers with `app`.
pub(crate) async fn served<A, R>(app: A) -> Connection
where
    A: FnMut(Request<Body>) -> R + Clone + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let (identity, builder) = server_builder();
    let endpoint = builder.bind().unwrap();
    let target = target(&endpoint);
    tokio::spawn(Server::new(endpoint).serve(service_fn(app)));
    connector(&identity).oneshot(target).await.unwrap()
}

/// Sends a request, and waits for the head of its response.
pub(crate) async fn ask<B>(
    connection: &Connection,
    request: Request<B>,
) -> Result<Response<Body>, RequestError>
where
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    connection.http().oneshot(request).await
}

/// Waits until the service is ready, whatever the body of the request.
pub(crate) async fn ready(http: &mut Http) -> Result<(), RequestError> {
    let ready = ServiceExt::<Request<Empty<Bytes>>>::ready(http).await;
    ready.map(drop)
}

pub(crate) fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).body(Empty::new()).unwrap()
}

pub(crate) fn post<B>(uri: &str, body: B) -> Request<B> {
    Request::post(uri).body(body).unwrap()
}

/// All the bytes of a body that is whole.
pub(crate) async fn bytes<B>(body: B) -> Bytes
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    body.collect().await.unwrap().to_bytes()
}

/// Bytes whose order matters.
pub(crate) fn content(len: usize) -> Bytes {
    (0..len).map(|number| (number % 251) as u8).collect()
}

pub(crate) fn full(content: impl Into<Bytes>) -> AnyBody {
    any(Full::new(content.into()))
}

pub(crate) fn any<B>(body: B) -> AnyBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    UnsyncBoxBody::new(body.map_err(Into::into))
}

/// What a [`Channel`] is fed by; it tells when the body is dropped.
pub(crate) type Feed = mpsc::Sender<Result<Frame<Bytes>, BoxError>>;

/// A body that is made while it is sent.
pub(crate) struct Channel(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

impl Channel {
    pub(crate) fn new() -> (Feed, Self) {
        let (feed, fed) = mpsc::channel(1);
        (feed, Self(fed))
    }
}

impl http_body::Body for Channel {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}

pub(crate) async fn feed(feed: &Feed, data: impl Into<Bytes>) {
    feed.send(Ok(Frame::data(data.into()))).await.unwrap();
}

/// The next bytes of a body.
pub(crate) async fn next<B>(body: &mut B) -> Bytes
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
{
    let frame = body.frame().await.unwrap().unwrap();
    frame.into_data().unwrap()
}

/// A request on its stream, of which a raw server has read the headers.
pub(crate) struct Exchange {
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
}

impl Exchange {
    pub(crate) async fn accept(peer: &Raw) -> Self {
        let (send, mut recv) = peer.quic.accept_bi().await.unwrap();
        let (ty, _) = raw::read_frame(&mut recv).await;
        assert_eq!(ty, 1, "HEADERS");
        Self { send, recv }
    }

    /// Writes the response's bytes, and leaves it open.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.unwrap();
    }

    /// Writes the last of the response's bytes.
    pub(crate) async fn end(&mut self, bytes: &[u8]) {
        self.write(bytes).await;
        self.send.finish().unwrap();
    }

    /// Waits until the client wants no response any more, and says with which code.
    pub(crate) async fn stopped(&self) -> u64 {
        let stopped = self.send.stopped().await.unwrap();
        stopped.expect("stopped before it is over").into_inner()
    }

    /// Waits until the client gives its request up, and says with which code.
    pub(crate) async fn reset(&mut self) -> u64 {
        loop {
            match self.recv.read_chunk(usize::MAX, true).await {
                Ok(Some(_)) => {}
                Err(quinn::ReadError::Reset(code)) => return code.into_inner(),
                other => panic!("not reset: {other:?}"),
            }
        }
    }
}

/// A session of the client's, which the raw server accepts; the streams keep it open.
pub(crate) async fn session(client: &Connection, peer: &Raw) -> (wt_connection::Session, Exchange) {
    let answer = async {
        let mut exchange = Exchange::accept(peer).await;
        exchange.write(&raw::response("200")).await;
        exchange
    };
    let (session, exchange) = tokio::join!(client.open("/"), answer);
    (session.unwrap(), exchange)
}

/// Sends a question and an answer over a stream of each side's, in a session with a raw server.
pub(crate) async fn converse(session: &wt_connection::Session, exchange: &Exchange, peer: &Raw) {
    let id = exchange.send.id().into();
    let mut ours = session.open_bi().await.unwrap();
    ours.send.write_all(b"question").await.unwrap();
    ours.send.finish().unwrap();
    let (mut send, mut recv) = peer.quic.accept_bi().await.unwrap();
    let question = recv.read_to_end(100).await.unwrap();
    assert_eq!(question, [&raw::bi_header(id)[..], b"question"].concat());
    send.write_all(b"answer").await.unwrap();
    send.finish().unwrap();
    assert_eq!(ours.recv.read_to_end(100).await.unwrap(), b"answer");

    let _theirs = peer.uni(id, b"news").await;
    let mut news = session.accept_uni().await.unwrap();
    assert_eq!(news.read_chunk(100).await.unwrap().unwrap(), "news");
}

//! A tower service behind a server of ours, and its clients.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::{Service, ServiceExt, service_fn};
use wt_connection::{
    Body, Connection, Connector, Endpoint, Identity, Limits, Requesting, Server, ShutdownReport,
};

use super::raw::{self, Raw};
use super::{connector, server_builder, target};

pub(crate) const H3_INTERNAL_ERROR: u64 = 0x102;
pub(crate) const H3_FRAME_UNEXPECTED: u64 = 0x105;
pub(crate) const H3_EXCESSIVE_LOAD: u64 = 0x107;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
pub(crate) type Content = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Reply = Response<Content>;

/// A server that runs, and whoever connects to it.
pub(crate) struct Served {
    pub(crate) endpoint: Endpoint,
    pub(crate) identity: Identity,
    pub(crate) connector: Connector,
    pub(crate) serving: JoinHandle<ShutdownReport>,
}

impl Served {
    /// Answers every request by `handler`.
    pub(crate) fn by<H, F>(handler: H) -> Self
    where
        H: FnMut(Request<Body>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Reply, BoxError>> + Send + 'static,
    {
        Self::set(Limits::default(), |server| server, service_fn(handler))
    }

    /// Answers every request by `service`, on a server of these settings.
    pub(crate) fn set<S>(limits: Limits, set: impl FnOnce(Server) -> Server, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Reply> + Clone + Send + 'static,
        S::Error: Into<BoxError> + 'static,
        S::Future: Send + 'static,
    {
        Self::run(limits, |server| tokio::spawn(set(server).serve(service)))
    }

    /// Has `run` serve.
    pub(crate) fn run(
        limits: Limits,
        run: impl FnOnce(Server) -> JoinHandle<ShutdownReport>,
    ) -> Self {
        let (identity, builder) = server_builder();
        let endpoint = builder.limits(limits).bind().unwrap();
        Self {
            serving: run(Server::new(endpoint.clone())),
            connector: connector(&identity),
            endpoint,
            identity,
        }
    }

    /// One more connection of the client's.
    pub(crate) async fn client(&self) -> Connection {
        let connecting = self.connector.clone().oneshot(target(&self.endpoint));
        connecting.await.unwrap()
    }

    /// A client that writes the bytes of HTTP/3 by hand.
    pub(crate) async fn raw(&self) -> Raw {
        let (quic, socket) = raw::quic_client(&self.endpoint, &self.identity).await;
        raw::start(quic, socket, &raw::ENABLED).await
    }
}

/// What a body comes to after its last chunk.
pub(crate) enum End {
    Whole,
    Trailers(HeaderMap),
    Never,
}

/// The same chunk again and again, and how often it was asked for.
pub(crate) struct Chunks {
    chunk: Bytes,
    left: usize,
    end: End,
    polled: Arc<AtomicUsize>,
}

impl Chunks {
    pub(crate) fn new(size: usize, count: usize, end: End) -> Self {
        Self {
            chunk: vec![7; size].into(),
            left: count,
            end,
            polled: Arc::default(),
        }
    }

    pub(crate) fn polled(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.polled)
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left > 0 {
            self.left -= 1;
            self.polled.fetch_add(1, Ordering::Relaxed);
            return Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))));
        }
        match std::mem::replace(&mut self.end, End::Whole) {
            End::Whole => Poll::Ready(None),
            End::Trailers(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Never => {
                self.end = End::Never;
                Poll::Pending
            }
        }
    }
}

/// Tells when it is dropped.
pub(crate) struct Guard(pub(crate) mpsc::Sender<&'static str>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.try_send("dropped");
    }
}

pub(crate) fn content(content: impl Into<Bytes>) -> Content {
    let full = Full::new(content.into());
    full.map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn reply(text: impl Into<Bytes>) -> Reply {
    Response::new(content(text))
}

pub(crate) fn status(status: u16) -> Reply {
    let response = Response::builder().status(status);
    response.body(content("")).unwrap()
}

/// Asks for `path` without content.
pub(crate) fn get(connection: &Connection, path: &str) -> Requesting {
    let request = Request::get(path).body(content("")).unwrap();
    connection.http().call(request)
}

/// Sends `body` to `path`.
pub(crate) fn post<B>(connection: &Connection, path: &str, body: B) -> Requesting
where
    B: http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let request = Request::post(path).body(body).unwrap();
    connection.http().call(request)
}

/// All that a response has.
pub(crate) async fn text(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Counts the bytes of a body, and keeps none.
pub(crate) async fn count(mut body: Body) -> usize {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    bytes
}

/// A body of what `next` gives.
pub(crate) fn from_fn<N>(next: N) -> FromFn<N>
where
    N: FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> + Unpin,
{
    FromFn(next)
}

pub(crate) struct FromFn<N>(N);

impl<N> http_body::Body for FromFn<N>
where
    N: FnMut(&mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        (self.0)(cx).map(|data| data.map(|data| data.map(Frame::data)))
    }
}

//! The same layers over gRPC: tonic's channels in a pool, in place of WebTransport's connections.
//!
//! ```sh
//! cargo run --release --example stack_tonic
//! ```
//!
//! Only what makes a connection, and what an outcome says, is another than in `stack`: an echo may be
//! asked for twice, whatever failed. The messages are bytes, so that nothing has to be generated.

use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use examples::stack::{Figures, Stack};
use examples::{BoxError, classes, trial};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, server};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_balance::BalanceLayer;
use wt_health::Monitor;
use wt_health::outlier::Outlier;
use wt_health::probe::Probes;
use wt_pool::PoolLayer;
use wt_retry::backoff::Exponential;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

/// A client of several servers, each call of which may be made again elsewhere.
fn stack(
    targets: Vec<SocketAddr>,
) -> Stack<
    impl Service<Bytes, Response = Bytes, Error = BoxError, Future: Send> + Clone + Send + Sync,
    SocketAddr,
> {
    // Connections: few to each server, each for many calls at once.
    let pool = ServiceBuilder::new()
        .layer(PoolLayer::new(4).shared(|_: &Connection| 100))
        .layer(TimeoutLayer::new(SECOND))
        .service(service_fn(connect));

    let probes = Probes::from_fn(probe).fast_interval(SECOND / 4);
    let monitor = Monitor::builder()
        .outlier(Outlier::default().base_ejection(2 * SECOND))
        .probes(probes.timeout(SECOND))
        .build();

    let (judge, lender) = (monitor.clone(), pool.clone());
    let backend = move |target: SocketAddr| {
        ServiceBuilder::new()
            .layer(judge.layer(target))
            .layer(TimeoutLayer::new(SECOND))
            .service(lender.service(target))
    };
    let balance = BalanceLayer::new(targets).layer(backend);

    let backoff = Exponential::default().base(SECOND / 50).cap(SECOND / 5);
    let policy = StandardPolicy::new(classes::any, backoff);
    let client = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1024)
        .layer(DeadlineLayer::new(5 * SECOND))
        .layer(RetryLayer::standard(policy.clone()))
        .service(balance.clone());

    let known = move || balance.snapshot();
    let figures = Figures::new(known, monitor, move || pool.stats(), move || policy.stats());
    Stack::new(client, figures)
}

async fn connect(target: SocketAddr) -> Result<Connection, BoxError> {
    let endpoint = Endpoint::from_shared(format!("http://{target}"))?;
    let channel = endpoint.tcp_nodelay(true).connect().await?;
    Ok(Connection {
        channel,
        lost: Arc::default(),
    })
}

async fn probe(target: SocketAddr) -> Result<(), BoxError> {
    let connection = connect(target).await?;
    connection.oneshot(Bytes::from_static(b"probe")).await?;
    Ok(())
}

/// A channel of tonic's that ends with its first connection, in place of making others: ready means
/// connected.
#[derive(Clone)]
struct Connection {
    channel: Channel,
    lost: Arc<AtomicBool>,
}

impl Service<Bytes> for Connection {
    type Response = Bytes;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Bytes, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        if self.lost.load(Ordering::Relaxed) {
            return Poll::Ready(Err(Status::unavailable("the connection is lost")));
        }
        let ready = self.channel.poll_ready(cx);
        ready.map_err(|error| Status::from_error(error.into()))
    }

    fn call(&mut self, message: Bytes) -> Self::Future {
        let fresh = self.channel.clone();
        let ready = mem::replace(&mut self.channel, fresh);
        let lost = Arc::clone(&self.lost);
        Box::pin(async move {
            let path = PathAndQuery::from_static(PATH);
            let message = tonic::Request::new(message);
            let answer = Grpc::new(ready).unary(message, path, Raw).await;
            if matches!(&answer, Err(status) if status.code() == Code::Unavailable) {
                lost.store(true, Ordering::Relaxed);
            }
            answer.map(Response::into_inner)
        })
    }
}

/// Messages that are bytes.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

fn server() -> Router {
    let echo = service_fn(|request: tonic::Request<Bytes>| async {
        Ok::<_, Status>(Response::new(request.into_inner()))
    });
    let answer = move |request: Request| async move {
        let answer = server::Grpc::new(Raw).unary(echo, request).await;
        answer.map(axum::body::Body::new)
    };
    Router::new().route(PATH, post(answer))
}

async fn call(
    client: impl Service<Bytes, Response = Bytes, Error = BoxError>,
) -> Result<(), BoxError> {
    let message = Bytes::from_static(&[7; 1024]);
    let same = client.oneshot(message.clone()).await? == message;
    same.then_some(()).ok_or_else(|| "another came back".into())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    trial::over_tcp(server(), stack, call).await
}

const PATH: &str = "/echo.Echo/Echo";
const SECOND: Duration = Duration::from_secs(1);

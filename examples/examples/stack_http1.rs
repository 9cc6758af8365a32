//! The same layers over HTTP/1: hyper's connections in a pool, in place of WebTransport's.
//!
//! ```sh
//! cargo run --release --example stack_http1
//! ```
//!
//! Only what makes a connection, what it is in use for and what an outcome says is another than in
//! `stack`: an echo may be asked for twice, whatever failed.

use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Request, Response};
use axum::routing::post;
use examples::stack::{Figures, Stack};
use examples::{BoxError, classes, trial};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_balance::BalanceLayer;
use wt_health::Monitor;
use wt_health::outlier::Outlier;
use wt_health::probe::Probes;
use wt_pool::PoolLayer;
use wt_retry::backoff::Exponential;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

type Call = Request<Full<Bytes>>;

/// A client of several servers, each call of which may be made again elsewhere.
fn stack(
    targets: Vec<SocketAddr>,
) -> Stack<
    impl Service<Call, Response = Bytes, Error = BoxError, Future: Send> + Clone + Send + Sync,
    SocketAddr,
> {
    // Connections: as many as there are calls at once, each for one at a time.
    let pool = ServiceBuilder::new()
        .layer(PoolLayer::new(64))
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
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    let (requests, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the connection.
    tokio::spawn(connection);
    Ok(Connection(requests))
}

async fn probe(target: SocketAddr) -> Result<(), BoxError> {
    let connection = connect(target).await?;
    connection.oneshot(request()?).await.map(drop)
}

/// A connection of hyper's, in use until its answer has been read.
struct Connection(SendRequest<Full<Bytes>>);

impl Service<Call> for Connection {
    type Response = Bytes;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Bytes, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(BoxError::from)
    }

    fn call(&mut self, request: Call) -> Self::Future {
        let answer = self.0.send_request(request);
        Box::pin(async move { read(answer.await?).await })
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, BoxError> {
    if !response.status().is_success() {
        return Err(format!("answered with {}", response.status()).into());
    }
    Ok(response.into_body().collect().await?.to_bytes())
}

fn request() -> Result<Call, BoxError> {
    let request = Request::post("/echo").header("host", "localhost");
    Ok(request.body(Full::from(vec![7; 1024]))?)
}

async fn call(
    client: impl Service<Call, Response = Bytes, Error = BoxError>,
) -> Result<(), BoxError> {
    let answer = client.oneshot(request()?).await?;
    let whole = answer.len() == 1024;
    whole.then_some(()).ok_or_else(|| "cut short".into())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let echo = async |content: Bytes| content;
    let router = Router::new().route("/echo", post(echo));
    trial::over_tcp(router, stack, call).await
}

const SECOND: Duration = Duration::from_secs(1);

//! The same layers over HTTP/1: hyper's connections in a pool, in place of WebTransport's.
//!
//! ```sh
//! cargo run --release --example stack_http1
//! ```
//!
//! Only what makes a connection, what it is in use for and what an outcome says is another than in
//! `stack`.

use std::env;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Request, Response};
use axum::routing::post;
use examples::servers::{self, Credentials};
use examples::stack::{Figures, Stack};
use examples::{BoxError, trial};
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
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy, Verdict};

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
    let policy = StandardPolicy::new(repeatable, backoff);
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

/// Whatever failed is worth another attempt: an echo may be asked for twice.
fn repeatable(_: &Call, result: Result<&Bytes, &BoxError>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    }
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

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, address] = &arguments[..]
        && serve == "serve"
    {
        let echo = async |content: Bytes| content;
        let router = Router::new().route("/echo", post(echo));
        return servers::serve_tcp(address.parse()?, router).await;
    }
    let mut servers = trial::fleet(4, &Credentials::generate()?).await?;
    let targets: Vec<_> = servers.iter().map(|server| server.address()).collect();
    let stack = stack(targets.clone());
    let call = || {
        let client = stack.client.clone();
        async move {
            let answer = client.oneshot(request()?).await?;
            let whole = answer.len() == 1024;
            whole.then_some(()).ok_or_else(|| "cut short".into())
        }
    };
    let summary = trial::run(targets, &stack.figures, &mut servers, call).await?;
    match summary.failed {
        0 => Ok(()),
        failed => Err(format!("{failed} calls failed").into()),
    }
}

const SECOND: Duration = Duration::from_secs(1);

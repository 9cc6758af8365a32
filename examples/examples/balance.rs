//! Balances hyper clients over three HTTP servers, one of which answers nothing but 500.
//!
//! The servers and the client are one process, on loopback:
//!
//! ```sh
//! cargo run --release --example balance
//! ```

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::uri::Scheme;
use axum::http::{Request, Response, StatusCode, Uri};
use axum::routing::get;
use examples::BoxError;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};
use wt_balance::{AnsweredBy, BalanceLayer, InExtensions, Outcome};

const CALLS: usize = 300;
const AT_ONCE: usize = 10;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut servers = BTreeMap::new();
    for (name, status) in [
        ("one", StatusCode::OK),
        ("two", StatusCode::OK),
        ("broken", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        servers.insert(serve(status).await?, name);
    }

    let layer = BalanceLayer::new(servers.keys().copied())
        .classify(by_status)
        .tell(InExtensions)
        .patience(Duration::from_secs(1));
    let targets = layer.targets();
    // One client has the connections to all; each backend sends requests to an address of its own.
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let balance = ServiceBuilder::new().layer(layer).service(move |address| {
        ServiceBuilder::new()
            .map_request(move |request| to(address, request))
            .service(hyper.clone())
    });

    let mut answers = BTreeMap::<_, usize>::new();
    for _ in 0..CALLS / AT_ONCE {
        let mut calls = JoinSet::new();
        for _ in 0..AT_ONCE {
            let request = Request::get("/hello").body(Body::empty())?;
            calls.spawn(balance.clone().oneshot(request));
        }
        while let Some(response) = calls.join_next().await {
            let response = response??;
            let answered = response.extensions().get::<AnsweredBy<SocketAddr>>();
            let name = answered.and_then(|AnsweredBy(address)| servers.get(address));
            *answers
                .entry(name.copied().unwrap_or("nobody"))
                .or_default() += 1;
        }
    }
    println!("{CALLS} calls: {answers:?}");

    // What is taken off the list gets no call any more.
    for (address, name) in &servers {
        if *name == "one" {
            targets.remove(address);
        }
    }
    for backend in balance.snapshot().backends {
        let (name, failing) = (servers[&backend.key], backend.failing);
        println!("{name}: {} failures, failing: {failing}", backend.failures);
    }
    let left = balance.shutdown(Duration::from_secs(1)).await;
    println!("shut down with {left} calls under way");
    Ok(())
}

/// Says what an answer of HTTP tells of the server.
fn by_status(result: Result<&Response<Incoming>, &Error>) -> Outcome {
    match result.map(Response::status) {
        Ok(status) if status.is_server_error() => Outcome::FAILURE,
        Ok(status) if status.is_client_error() => Outcome::Ignore,
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::FAILURE,
    }
}

/// The same request, at this address.
fn to(address: SocketAddr, mut request: Request<Body>) -> Request<Body> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = address.to_string().parse().ok();
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

/// Answers each request with this status.
async fn serve(status: StatusCode) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/hello", get(move || async move { status }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

//! Opens a session through a deadline and retries, on a server that is busy at first.
//!
//! The server and the client are one process, on loopback:
//!
//! ```sh
//! cargo run --release --example retry
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use examples::{BoxError, classes};
use tower::{ServiceBuilder, ServiceExt};
use wt_connection::{
    Connector, Endpoint, Identity, Server, Session, Target, Trust, WebTransportUpgrade,
};
use wt_retry::backoff::Exponential;
use wt_retry::budget::RatioBudget;
use wt_retry::mark::InExtensions;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost"])?;
    let trust = Trust::hashes([identity.certificate_hash()]);
    let endpoint = Endpoint::server("127.0.0.1:0".parse()?, identity)?;
    let target = Target::from(endpoint.local_address()?);
    tokio::spawn(Server::new(endpoint).serve(Router::new().route("/hello", any(hello))));

    let backoff = Exponential::default().base(Duration::from_millis(100));
    let connector = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(10)))
        .layer(RetryLayer::new(StandardPolicy::new(
            classes::connect,
            backoff.clone(),
        )))
        .service(Connector::new(Endpoint::client(trust)?));
    let connection = connector.oneshot(target).await?;

    // Both layers know each other by what they leave in the request.
    let policy = StandardPolicy::new(classes::open, backoff)
        .budget(RatioBudget::default())
        .marks(InExtensions);
    let opener = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_secs(10)).marks(InExtensions))
        .layer(
            RetryLayer::standard(policy.clone()).observer(|policy, ended| {
                println!("{} attempts, {:?}", ended.attempts, policy.reason());
            }),
        )
        .service(connection);
    let request = Request::get("/hello").body(())?;
    let session = opener.oneshot(request).await?.into_body();
    println!("{:?}", session.read_datagram().await?);
    println!("{:?}", policy.stats());
    Ok(())
}

/// Has no time for the first two who ask, and says when it will have.
async fn hello(upgrade: WebTransportUpgrade) -> Response {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
        )
            .into_response(),
        _ => upgrade.on_session(greet),
    }
}

async fn greet(session: Session) {
    let _ = session.send_datagram("hello");
    session.closed().await;
}

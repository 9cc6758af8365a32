//! Forty WebTransport sessions at once over few connections, each of which the server allows eight.
//!
//! ```sh
//! cargo run --release --example pool
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use examples::{BoxError, echo};
use tokio::task::JoinSet;
use tower::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder, ServiceExt};
use wt_connection::ConnectionState::Connected;
use wt_connection::{
    CompleteOnClose, Connection, Connector, Endpoint, Identity, Limits, Session, Target, Trust,
};
use wt_pool::PoolLayer;

const SESSIONS: usize = 40;
const SECOND: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost"])?;
    let trust = Trust::hashes([identity.certificate_hash()]);
    let server = Endpoint::builder()
        .address((Ipv4Addr::LOCALHOST, 0).into())
        .identity(identity)
        .limits(Limits::default().max_sessions(8))
        .bind()?;
    tokio::spawn(serve(server.clone()));

    // As many sessions on each connection as its server allows; a session holds its slot until it
    // is closed. A server that drains is not made to wait for connections that nobody uses.
    let layer = PoolLayer::new(10)
        .shared(Connection::max_sessions)
        .completion(CompleteOnClose)
        .closed(|connection: &Connection| {
            let mut states = connection.states();
            async move { states.wait_for(|state| *state != Connected).await.is_ok() }
        })
        .validate(async |connection: &Connection| connection.ping(SECOND).await);
    let pool = ServiceBuilder::new()
        .layer(layer)
        .layer(TimeoutLayer::new(3 * SECOND))
        .service(Connector::new(Endpoint::client(trust)?));
    let client = pool.service(Target::from(server.local_address()?));

    let mut opening = JoinSet::new();
    for _ in 0..SESSIONS {
        opening.spawn(open(client.clone()));
    }
    let mut sessions = Vec::new();
    while let Some(session) = opening.join_next().await {
        sessions.push(session??);
    }
    let stats = pool.stats().total;
    println!("{} sessions on {} connections", stats.lent, stats.open);

    for session in &sessions {
        session.close(0, "");
        session.closed().await;
    }
    let again = open(client).await?;
    let stats = pool.stats().total;
    println!("one more session, {} connections made in all", stats.opened);

    again.close(0, "");
    pool.close();
    server.close(0, "").await;
    Ok(())
}

/// Opens a session and uses it.
async fn open<S>(mut client: S) -> Result<Session, BoxError>
where
    S: Service<http::Request<()>, Response = http::Response<Session>, Error = BoxError>,
{
    let request = http::Request::get("/echo").body(())?;
    let response = client.ready().await?.call(request).await?;
    let session = response.into_body();
    echo::bi(&session, b"hello").await?;
    Ok(session)
}

/// What the echo server says is not of interest here.
async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(serve_connection(incoming));
    }
}

async fn serve_connection(incoming: wt_connection::Incoming) -> Result<(), BoxError> {
    let connection = incoming.await?;
    loop {
        let session = connection.accept().await?.accept().await?;
        tokio::spawn(send_back(session));
    }
}

async fn send_back(session: Session) -> Result<(), BoxError> {
    loop {
        let mut stream = session.accept_bi().await?;
        let all = stream.recv.read_to_end(1024).await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream.send, &all).await?;
        stream.send.finish()?;
    }
}

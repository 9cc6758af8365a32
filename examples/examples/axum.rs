//! An axum app that serves plain routes and WebTransport sessions on one port.

use std::env;
use std::error::Error;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, get};
use tokio::io::{AsyncWriteExt, copy};
use wt_connection::{BiStream, Endpoint, Identity, Server, Session, WebTransportUpgrade};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("[::]:4433").parse()?;
    let identity = Identity::self_signed(["localhost"])?;
    let hash = identity.certificate_hash();
    let endpoint = Endpoint::server(address, identity)?;
    println!("serving {}, certificate {hash}", endpoint.local_address()?);

    let app = Router::new()
        .route("/", get(|| async { "hello over HTTP/3\n" }))
        .route("/echo", any(echo));
    let server = Server::new(endpoint.clone()).shutdown_on(async {
        let _ = tokio::signal::ctrl_c().await;
    });
    let report = server.serve(app).await;

    println!("{} connections were cut off", report.cut.len());
    endpoint.close(0, "the server shuts down").await;
    Ok(())
}

/// Accepts whoever asks; axum's extractors and tower's layers work here as on any other route.
async fn echo(upgrade: WebTransportUpgrade) -> Response {
    upgrade.on_session(serve)
}

/// Sends back what each stream brings; QUIC's limits bound how many there are at once.
async fn serve(session: Session) {
    while let Ok(stream) = session.accept_bi().await {
        tokio::spawn(send_back(stream));
    }
}

async fn send_back(stream: BiStream) -> Result<(), std::io::Error> {
    let (mut send, mut recv) = stream.split();
    copy(&mut recv, &mut send).await?;
    send.shutdown().await
}

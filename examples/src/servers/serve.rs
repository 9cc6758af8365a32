use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use wt_connection::{BiStream, Server, Session, WebTransportUpgrade};

use crate::BoxError;
use crate::servers::orders::orders;
use crate::servers::{Credentials, Order};

/// Serves sessions at `/echo`, until it is told to shut down or whoever has started this process
/// is gone; the first line that it prints is its address.
///
/// # Errors
///
/// Fails if the address cannot be bound, or standard input does not begin with [`Credentials`].
pub async fn serve(address: SocketAddr) -> Result<(), BoxError> {
    let endpoint = Credentials::read(&io::stdin())?.address(address).bind()?;
    let mut orders = orders();
    let shutdown = CancellationToken::new();
    let server = Server::new(endpoint.clone())
        .shutdown_on(shutdown.clone().cancelled_owned())
        .shutdown_timeout(Duration::from_secs(5));
    let serving = tokio::spawn(server.serve(app(orders.clone())));
    println!("{}", endpoint.local_address()?);

    while orders.changed().await.is_ok() {
        let order = *orders.borrow_and_update();
        if order == Order::ShutDown {
            shutdown.cancel();
            serving.await?;
            endpoint.close(0, "the server shuts down").await;
            return Ok(());
        }
    }
    Ok(())
}

fn app(orders: watch::Receiver<Order>) -> Router {
    let answer = move |upgrade| answer(upgrade, *orders.borrow());
    Router::new().route("/echo", any(answer))
}

async fn answer(upgrade: WebTransportUpgrade, order: Order) -> Response {
    match order {
        Order::Fail => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Order::Slow(by) => sleep(by).await,
        Order::Recover | Order::ShutDown => {}
    }
    upgrade.on_session(echo)
}

async fn echo(session: Session) {
    // Each ends with its stream, and streams with their session.
    while let Ok(stream) = session.accept_bi().await {
        tokio::spawn(send_back(stream));
    }
}

async fn send_back(stream: BiStream) -> Result<(), BoxError> {
    let (mut send, mut recv) = stream.split();
    tokio::io::copy(&mut recv, &mut send).await?;
    Ok(send.finish()?)
}

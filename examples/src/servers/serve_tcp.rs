use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::BoxError;
use crate::servers::Order;
use crate::servers::orders::orders;

/// Serves `router` by HTTP/1 and HTTP/2 without TLS, as misbehaved as it is told to be, until it is
/// told to shut down or whoever has started this process is gone; the first line that it prints is
/// its address.
///
/// # Errors
///
/// Fails if the address cannot be bound.
pub async fn serve_tcp(address: SocketAddr, router: Router) -> Result<(), BoxError> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    // An answer's end does not wait until the client has acknowledged its beginning.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let orders = orders();
    let router = router.layer(from_fn_with_state(orders.clone(), obey));
    let (shut_down, gone) = (told(orders.clone()), gone(orders.clone()));
    let serving = axum::serve(listener, router).with_graceful_shutdown(shut_down);
    // Clients that do not let go are cut off.
    let late = async {
        told(orders).await;
        sleep(SHUTDOWN_TIMEOUT).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = late => Ok(()),
        () = gone => Ok(()),
    }
}

async fn obey(
    State(orders): State<watch::Receiver<Order>>,
    request: Request,
    next: Next,
) -> Response {
    let order = *orders.borrow();
    match order {
        Order::Fail => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Order::Slow(by) => sleep(by).await,
        Order::Recover | Order::ShutDown => {}
    }
    next.run(request).await
}

/// Waits until it is told to shut down.
async fn told(mut orders: watch::Receiver<Order>) {
    if orders
        .wait_for(|order| *order == Order::ShutDown)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// Waits until there will be no more orders.
async fn gone(mut orders: watch::Receiver<Order>) {
    while orders.changed().await.is_ok() {}
}

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

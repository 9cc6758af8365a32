use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceExt;
use wt_connection::{NotWebTransport, Session, Upgrade};

use crate::proxy::client::Client;
use crate::proxy::onward::{answer, ask};
use crate::proxy::refusal::refusal;
use crate::splice::{LOST, splice};

/// An application that passes on every request for a session, whatever its path.
///
/// The client hears what its server says: the status, the headers and the subprotocol. If no server
/// can be asked, it is one of 502 to 504.
///
/// # Bounds
///
/// There are as many sessions at once as the servers have room for: see [`client`](super::client).
/// Who comes first has them. The edge lets in
/// [`Connections::max_connections`](wt_connection::Connections::max_connections) times
/// [`Limits::max_sessions`](wt_connection::Limits::max_sessions); where that is more, as it is by
/// default, a few clients can take all, and the others hear 503. The example `proxy` has figures
/// that fit. How many connections one address may have is no matter of either.
pub fn app<C: Client>(client: C) -> Router {
    Router::new().fallback_service(any(forward::<C>).with_state(client))
}

/// Opens a session on a server, and accepts the client's if that one did.
///
/// A client that gives up drops this, and with it the session that is being opened.
async fn forward<C: Client>(State(client): State<C>, mut request: Request) -> Response {
    let Some(upgrade) = Upgrade::of(&mut request) else {
        return NotWebTransport::default().into_response();
    };
    match client.oneshot(ask(&request, upgrade.protocols())).await {
        Ok(response) => {
            let (answer, backend) = answer(response);
            let upgrade = upgrade.select_protocol(backend.protocol());
            let session = upgrade.session();
            upgrade.spawn(async move {
                match session.await {
                    Ok(session) => splice(session, backend).await,
                    Err(_) => gone(&backend),
                }
            });
            answer
        }
        Err(error) => refusal(&*error),
    }
}

/// The client has given up between the answer and the session.
fn gone(backend: &Session) {
    backend.close(LOST, "the client is gone");
}

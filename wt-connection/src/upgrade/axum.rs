use std::convert::Infallible;
use std::net::SocketAddr;

use ::axum::extract::connect_info::Connected;
use ::axum::extract::{FromRequestParts, OptionalFromRequestParts};
use ::axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::{Connection, Session, Upgrade};

/// An axum extractor for a route that serves sessions.
///
/// ```
/// use axum::Router;
/// use axum::response::Response;
/// use axum::routing::any;
/// use wt_connection::{Session, WebTransportUpgrade};
///
/// let app: Router = Router::new().route("/chat", any(chat));
///
/// async fn chat(upgrade: WebTransportUpgrade) -> Response {
///     upgrade.protocols(["chat.v2", "chat.v1"]).on_session(serve)
/// }
///
/// async fn serve(session: Session) {
///     while let Ok(datagram) = session.read_datagram().await {
///         let _ = session.send_datagram(datagram);
///     }
/// }
/// ```
///
/// The route has to be one of [`any`](::axum::routing::any) or
/// [`connect`](::axum::routing::connect). A request that asks for no session is answered with 405.
#[derive(Debug)]
#[must_use = "a session that nobody serves is rejected"]
pub struct WebTransportUpgrade {
    upgrade: Upgrade,
}

/// The request asks for no session; as a response, 405.
#[derive(Clone, Copy, Debug, Default, thiserror::Error, PartialEq, Eq)]
#[error("the request asks for no WebTransport session")]
#[non_exhaustive]
pub struct NotWebTransport;

impl WebTransportUpgrade {
    /// Sets the subprotocols that this route supports, the preferred one first: the first of them
    /// that the client offers is chosen, and [`Session::protocol`] tells it.
    pub fn protocols<N>(self, supported: impl IntoIterator<Item = N>) -> Self
    where
        N: AsRef<str>,
    {
        Self {
            upgrade: self.upgrade.select_protocol(supported),
        }
    }

    /// What was chosen of [`protocols`](Self::protocols); `None` where the client offers none of
    /// them.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<String> {
        self.upgrade.selected_protocol()
    }

    /// Accepts the session with status 200, and serves it in a task.
    pub fn on_session<C, F>(self, serve: C) -> Response
    where
        C: FnOnce(Session) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let session = self.upgrade.session();
        self.upgrade.spawn(async move {
            match session.await {
                Ok(session) => serve(session).await,
                Err(error) => tracing::debug!(%error, "a session did not begin"),
            }
        });
        StatusCode::OK.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebTransportUpgrade {
    type Rejection = NotWebTransport;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotWebTransport> {
        let upgrade = parts.extensions.remove().ok_or(NotWebTransport)?;
        Ok(Self { upgrade })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebTransportUpgrade {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let upgrade = parts.extensions.remove();
        Ok(upgrade.map(|upgrade| Self { upgrade }))
    }
}

impl IntoResponse for NotWebTransport {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::METHOD_NOT_ALLOWED, self.to_string()).into_response();
        let allow = HeaderValue::from_static("CONNECT");
        response.headers_mut().insert(header::ALLOW, allow);
        response
    }
}

/// For `Router::into_make_service_with_connect_info`.
impl Connected<Connection> for SocketAddr {
    fn connect_info(connection: Connection) -> Self {
        connection.remote_address()
    }
}

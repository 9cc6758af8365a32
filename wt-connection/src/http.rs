use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_service::Service;

use crate::connection::Handle;
use crate::error::{ConnectionError, RequestError};
use crate::http3::{self, Body};
use crate::proto::control::Side;
use crate::state::ConnectionState;

/// Sends plain HTTP/3 requests on a connection that carries sessions, too: a tower [`Service`] of
/// `http::Request<B>` in, `http::Response<Body>` out.
///
/// From [`Connection::http`](crate::Connection::http). A request's URI may be a path alone; its
/// body is any [`http_body::Body`], and may still be sent while the response is read.
///
/// # Readiness
///
/// Ready until the connection is draining or over; never `Pending`: where the server's limit of
/// open streams is reached, the call waits.
///
/// A server whose response breaks HTTP/3's rules, by leaving out its headers for instance, costs
/// this service: it fails from then on, and the connection counts as draining. The sessions live
/// on.
///
/// # Clone
///
/// Clones send on the same connection, which lives as long as any of them, and as the bodies of
/// their responses.
#[derive(Clone)]
pub struct Http {
    handle: Arc<Handle>,
    client: http3::Client,
}

/// A request on its way, the future of [`Http`].
///
/// Dropped, it gives the request up: the server is told.
#[must_use = "futures do nothing unless polled"]
pub struct Requesting(Pin<Box<dyn Future<Output = <Self as Future>::Output> + Send>>);

impl Http {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        let client = http3::Client::new(&handle.core);
        Self { handle, client }
    }

    /// Sends a request, and waits for its response.
    ///
    /// The same as to call the service, which needs no readiness of its own.
    ///
    /// # Errors
    ///
    /// Fails if the request cannot be sent or its body fails, if the server gives no response that
    /// HTTP/3 has, and once the connection is draining or over.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it gives the request up: the server is told.
    pub fn request<B>(&self, request: http::Request<B>) -> Requesting
    where
        B: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.clone().call(request)
    }

    fn check(&self) -> Result<(), RequestError> {
        let core = &self.handle.core;
        match core.state.get() {
            _ if core.side == Side::Server => Err(RequestError::NotClient),
            ConnectionState::Draining => Err(RequestError::Draining),
            ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Failed => {
                let error = core.error().unwrap_or(ConnectionError::Closed);
                Err(error.into())
            }
            ConnectionState::Idle | ConnectionState::Connecting | ConnectionState::Connected => {
                Ok(())
            }
        }
    }
}

impl<B> Service<http::Request<B>> for Http
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = RequestError;
    type Future = Requesting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RequestError>> {
        Poll::Ready(self.check())
    }

    fn call(&mut self, request: http::Request<B>) -> Requesting {
        let Self { handle, client } = self.clone();
        Requesting(match self.check() {
            Ok(()) => Box::pin(client.send(handle, request)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        })
    }
}

impl Future for Requesting {
    type Output = Result<http::Response<Body>, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("connection", &self.handle.core.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Requesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requesting")
    }
}

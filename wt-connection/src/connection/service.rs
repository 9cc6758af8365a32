use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::OwnedSemaphorePermit;
use tower_service::Service;

use crate::connection::opening;
use crate::error::{ConnectionError, OpenError};
use crate::proto::control::Side;
use crate::state::ConnectionState;
use crate::{Connection, Session};

impl Service<http::Request<()>> for Connection {
    type Response = http::Response<Session>;
    type Error = OpenError;
    type Future = Opening;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OpenError>> {
        if self.core().side == Side::Server {
            return Poll::Ready(Err(OpenError::NotClient));
        }
        if self.core().room.is_closed() {
            self.reserved = None;
            return Poll::Ready(Err(self.unusable()));
        }
        if self.reserved.is_none() {
            self.reserved = ready!(self.room.poll_acquire(cx));
        }
        match self.reserved {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Ready(Err(self.unusable())),
        }
    }

    /// Asks the server for a session.
    ///
    /// The method and version of `request` do not matter; its URI may be a path alone.
    ///
    /// # Panics
    ///
    /// Panics if the service is not ready.
    fn call(&mut self, request: http::Request<()>) -> Opening {
        let reserved = self.take_reserved();
        Opening(Box::pin(opening::open(
            self.handle.clone(),
            request,
            reserved,
        )))
    }
}

impl Connection {
    /// What readiness has reserved.
    ///
    /// # Panics
    ///
    /// Panics if the connection is not ready.
    pub(super) fn take_reserved(&mut self) -> OwnedSemaphorePermit {
        self.reserved.take().expect("called without being ready")
    }

    fn unusable(&self) -> OpenError {
        match self.core().error() {
            Some(error) => error.into(),
            None if self.state() == ConnectionState::Draining => OpenError::Draining,
            None => ConnectionError::Closed.into(),
        }
    }
}

/// A session being opened, the future of [`Connection`]'s service.
///
/// Dropped, it gives the session up: the server is told, and the place is free again once it has
/// taken note.
#[must_use = "futures do nothing unless polled"]
pub struct Opening(
    Pin<Box<dyn Future<Output = Result<http::Response<Session>, OpenError>> + Send>>,
);

impl Future for Opening {
    type Output = Result<http::Response<Session>, OpenError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use http_body::Body as HttpBody;
use tokio::time::timeout;
use tracing::Span;

use crate::connection::{Handle, Queued};
use crate::error::SessionError;
use crate::upgrade::{Cell, Upgrade, UpgradeError};
use crate::{Body, SessionRequest, date, head};

/// A request for a session that a service answers.
///
/// Dropped without an answer, it is aborted, and whoever took the session is told.
pub(crate) struct Asking {
    /// `None` once it is answered.
    request: Option<SessionRequest>,
    cell: Arc<Cell>,
    /// The session's.
    span: Span,
}

impl Asking {
    /// Begins with a request as a service takes it.
    pub(crate) fn new(queued: Queued, handle: Arc<Handle>) -> (http::Request<Body>, Self) {
        let cell = Arc::<Cell>::default();
        let handlers = handle.core.handlers.clone();
        let asked = SessionRequest::new(queued, handle).aborted_on_drop();
        let span = asked.span().clone();
        let upgrade = Upgrade::new(Arc::clone(&cell), asked.protocols().to_vec(), handlers);
        let mut request = asked.request().clone().map(|()| Body::empty());
        request.extensions_mut().insert(upgrade);
        let asking = Self {
            request: Some(asked),
            cell,
            span,
        };
        (request, asking)
    }

    /// What handles the request is traced inside of this.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Rejects it as one of a page that may open no session.
    pub(crate) async fn forbid(mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        let rejected = request.reject(StatusCode::FORBIDDEN).await;
        log(rejected.err());
    }

    /// Answers with what `response` comes to, unless the client wants it no more.
    pub(crate) async fn conclude<F, B, E>(mut self, response: F)
    where
        F: Future<Output = Result<http::Response<B>, E>>,
        B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let Some(request) = &mut self.request else {
            return;
        };
        let mut given_up = pin!(request.given_up());
        let response = tokio::select! {
            biased;
            response = async { response.await.map_err(Into::into) } => response,
            () = &mut given_up => return,
            () = request.reset() => return,
        };
        match response {
            Ok(response) => tokio::select! {
                biased;
                () = self.answer(response) => {}
                () = given_up => {}
            },
            Err(error) => tracing::debug!(error, "a request for a session was not answered"),
        }
    }

    async fn answer<B>(&mut self, mut response: http::Response<B>)
    where
        B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let status = response.status();
        if status.is_informational() {
            // The client would wait for the answer behind it.
            return tracing::debug!(%status, "a request for a session has no final response");
        }
        let Some(mut request) = self.request.take() else {
            return;
        };
        date::set(response.headers_mut());
        if !status.is_success() {
            if let Some(taker) = self.cell.settle() {
                // Whoever waits no more needs no word.
                let _ = taker.send(Err(UpgradeError::Rejected(status)));
            }
            return log(request.reject_with_body(response).await.err());
        }
        // A task that is to take the session may not have come to it yet.
        let _ = timeout(request.patience(), self.cell.asked()).await;
        let untaken = match self.cell.is_withdrawn() {
            // A resource that never looked for the session has no WebTransport.
            true => StatusCode::METHOD_NOT_ALLOWED,
            false => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let Some(taker) = self.cell.settle() else {
            tracing::debug!("a session was accepted, and nobody took it");
            return log(request.reject(untaken).await.err());
        };
        if let Some(protocol) = self.cell.protocol() {
            request.choose_protocol(protocol);
        }
        let (mut parts, _) = response.into_parts();
        head::strip(&mut parts.headers);
        parts.headers.remove(http::header::CONTENT_LENGTH);
        let accepted = request.accept_response(http::Response::from_parts(parts, ()));
        // A session that is not taken after all is closed by its drop.
        let _ = taker.send(accepted.await.map_err(Into::into));
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Whoever waits for the session learns that there is none.
        drop(self.cell.settle());
    }
}

fn log(error: Option<SessionError>) {
    if let Some(error) = error {
        tracing::debug!(%error, "a request for a session was not answered");
    }
}

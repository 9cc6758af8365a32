use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::Session;
use crate::proto::subprotocol;
use crate::upgrade::cell::{Cell, Outcome};
use crate::upgrade::error::UpgradeError;

/// The session that a request asks for, in the extensions of that `http::Request`.
///
/// The response decides: with 2xx the session begins, and whoever took it gets it; with any other
/// status there is none. A 2xx of a service that drops this without taking the session becomes 405,
/// as of a resource without WebTransport; of one that keeps it, or waits no more, 500.
///
/// ```
/// use http::{Request, Response, StatusCode};
/// use wt_connection::{Body, Upgrade};
///
/// async fn chat(mut request: Request<Body>) -> Response<String> {
///     let mut response = Response::default();
///     match Upgrade::of(&mut request) {
///         Some(upgrade) => {
///             let session = upgrade.session();
///             upgrade.spawn(async move {
///                 if let Ok(session) = session.await {
///                     session.close(42, "that is all");
///                     session.closed().await;
///                 }
///             });
///         }
///         None => *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED,
///     }
///     response
/// }
/// ```
///
/// For axum there is an extractor that does this, `WebTransportUpgrade`.
///
/// # Clone
///
/// Clones are for the same session, which can be taken once.
#[derive(Clone)]
pub struct Upgrade {
    offer: Arc<Offer>,
}

/// What the clones share. The last of them withdraws it.
struct Offer {
    cell: Arc<Cell>,
    /// The subprotocols that the client offers.
    protocols: Vec<String>,
    /// The tasks that a server which shuts down waits for.
    tasks: TaskTracker,
}

/// A session that is to begin with the response, the future of [`Upgrade::session`].
#[must_use = "a session that nobody waits for is not accepted"]
pub struct Upgrading(Result<oneshot::Receiver<Outcome>, Option<UpgradeError>>);

impl Upgrade {
    pub(crate) fn new(cell: Arc<Cell>, protocols: Vec<String>, tasks: TaskTracker) -> Self {
        Self {
            offer: Arc::new(Offer {
                cell,
                protocols,
                tasks,
            }),
        }
    }

    /// Takes this out of a request's extensions; `None` if the request asks for no session.
    pub fn of<B>(request: &mut http::Request<B>) -> Option<Self> {
        request.extensions_mut().remove()
    }

    /// Takes the session, which begins once the response is sent: do not wait for it before.
    ///
    /// It is taken by the call, whether or not the future is polled, and given back when the future
    /// is dropped before the response.
    ///
    /// # Errors
    ///
    /// Fails if the session was taken before, if the response rejects it, if there is none, or if
    /// the client has given up.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a session not yet returned is closed.
    pub fn session(&self) -> Upgrading {
        Upgrading(self.offer.cell.take().map_err(Some))
    }

    /// The subprotocols that the client offers, the preferred one first; none if its header is
    /// malformed.
    #[must_use]
    pub fn protocols(&self) -> &[String] {
        &self.offer.protocols
    }

    /// Chooses the subprotocol of the session: the first of `supported` that the client offers;
    /// none if it offers none of them.
    ///
    /// It goes out with a response of 2xx, in place of a `WT-Protocol` that is there.
    #[must_use]
    pub fn select_protocol<N>(self, supported: impl IntoIterator<Item = N>) -> Self
    where
        N: AsRef<str>,
    {
        let chosen = subprotocol::choose(supported, self.protocols());
        self.offer.cell.set_protocol(chosen);
        self
    }

    /// What [`select_protocol`](Self::select_protocol) chose, on this handle or on a clone of it.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<String> {
        self.offer.cell.protocol()
    }

    /// Runs a task that serves the session; a [`Server`](crate::Server) that shuts down waits for
    /// it, as it does for the session.
    ///
    /// It runs inside the span of `tracing` that this is called in: the session's, or one of the
    /// handler's own inside that.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.offer.tasks.spawn(task.in_current_span());
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.cell.withdraw();
    }
}

impl Future for Upgrading {
    type Output = Result<Session, UpgradeError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(outcome) => {
                let outcome = ready!(Pin::new(outcome).poll(cx));
                Poll::Ready(outcome.unwrap_or(Err(UpgradeError::Unanswered)))
            }
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(UpgradeError::Taken))),
        }
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

impl fmt::Debug for Upgrading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrading")
    }
}

use std::fmt;

use tokio::sync::oneshot;

use crate::Session;
use crate::error::{ConnectionError, OpenError};

/// A session that may be used before the server has accepted it, made by
/// [`Connection::open_early`](crate::Connection::open_early).
///
/// What is sent meanwhile waits with the server, as far as it keeps streams and datagrams of
/// sessions that it does not know yet, and is lost if it does not accept: its streams are reset,
/// and the session is over with [`SessionError::NotAccepted`](crate::SessionError::NotAccepted).
///
/// ```no_run
/// # async fn example(
/// #     connection: wt_connection::Connection,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let request = http::Request::get("/chat").body(())?;
/// let early = connection.open_early(request).await?;
/// let mut stream = early.session().open_bi().await?;
/// stream.send.write_all(b"hello").await?;
/// let session = early.accepted().await?.into_body();
/// # Ok(())
/// # }
/// ```
#[must_use = "what becomes of the session is told by `accepted`"]
pub struct EarlySession {
    session: Session,
    answer: oneshot::Receiver<Result<http::Response<()>, OpenError>>,
}

impl EarlySession {
    pub(crate) fn new(
        session: Session,
        answer: oneshot::Receiver<Result<http::Response<()>, OpenError>>,
    ) -> Self {
        Self { session, answer }
    }

    /// The session, which is like any other.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Waits for the server's answer.
    ///
    /// # Errors
    ///
    /// Fails as [`Connection`](crate::Connection)'s service does if the server does not accept;
    /// with [`OpenError::Connection`] if the session was closed before it answered.
    pub async fn accepted(self) -> Result<http::Response<Session>, OpenError> {
        let closed = || OpenError::Connection(ConnectionError::Closed);
        let response = self.answer.await.map_err(|_| closed())??;
        Ok(response.map(|()| self.session))
    }
}

impl fmt::Debug for EarlySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlySession")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

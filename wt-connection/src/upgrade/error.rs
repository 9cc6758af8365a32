use http::StatusCode;

use crate::error::SessionError;

/// Why a request for a session gave none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The session was taken before, by this handle or by a clone of it.
    #[error("the session was taken before")]
    Taken,
    /// The response rejects the session: its status is none of 2xx.
    #[error("the response rejects the session with status {0}")]
    Rejected(StatusCode),
    /// The request has no response: its handler failed, or the client has given up.
    #[error("the request was not answered")]
    Unanswered,
    /// The session ended before it began.
    #[error("the session could not begin")]
    Session(#[from] SessionError),
}

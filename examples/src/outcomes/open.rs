use axum::http::{Response, StatusCode};
use wt_connection::{OpenError, Session};
use wt_health::Outcome;

use crate::outcomes::connect::{lost, not_connected};

/// What an attempt to open a session says about the backend.
#[must_use]
pub fn open(result: Result<&Response<Session>, &OpenError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(error) => not_opened(error),
    }
}

/// What it says that no session was opened.
pub(crate) fn not_opened(error: &OpenError) -> Outcome {
    match error {
        OpenError::Rejected(response) => answered(response.status()),
        OpenError::Unprocessed
        | OpenError::Aborted { .. }
        | OpenError::Malformed
        | OpenError::WrongProtocol(_) => Outcome::Failure,
        OpenError::Connection(error) => lost(error),
        OpenError::Connect(error) => not_connected(error),
        // Another connection takes it.
        OpenError::Draining | OpenError::InvalidRequest(_) | OpenError::NotClient => {
            Outcome::Ignore
        }
        _ => Outcome::Failure,
    }
}

/// What a status says: 429 is about the client's pace, and says nothing.
pub(crate) fn answered(status: StatusCode) -> Outcome {
    if status == StatusCode::TOO_MANY_REQUESTS {
        Outcome::Ignore
    } else if status.is_server_error() {
        Outcome::Failure
    } else {
        Outcome::Success
    }
}

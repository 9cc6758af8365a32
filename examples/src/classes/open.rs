use std::time::SystemTime;

use axum::http::{Request, Response, StatusCode};
use wt_connection::{OpenError, Session};
use wt_retry::Verdict;

use crate::classes::connect::{failed, lost};
use crate::classes::retry_after::told;

/// The class of an attempt to open a session.
///
/// No session was established by one that failed, so it may be made again whatever the path is.
#[must_use]
pub fn open(_: &Request<()>, result: Result<&Response<Session>, &OpenError>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(error) => not_opened(error),
    }
}

/// The class of what kept a session from being opened.
pub(crate) fn not_opened(error: &OpenError) -> Verdict {
    match error {
        OpenError::Unprocessed | OpenError::Draining => Verdict::RetryUnsent,
        OpenError::Rejected(response) => match response.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                told(response.headers(), SystemTime::now())
            }
            _ => Verdict::Return,
        },
        OpenError::Connection(error) => lost(error),
        OpenError::Connect(error) => failed(error),
        OpenError::Aborted { .. }
        | OpenError::Malformed
        | OpenError::WrongProtocol(_)
        | OpenError::InvalidRequest(_)
        | OpenError::NotClient => Verdict::Return,
        _ => Verdict::Return,
    }
}

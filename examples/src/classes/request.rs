use std::time::SystemTime;

use axum::http::{Method, Request, Response, StatusCode};
use wt_connection::RequestError;
use wt_retry::Verdict;

use crate::classes::connect::lost;
use crate::classes::retry_after::told;

/// The class of a plain HTTP request.
///
/// 429 says that the request was not processed; 503 says so of the server rather than of the
/// request, which is sent again only if it may be done twice.
#[must_use]
pub fn request<Q, B>(request: &Request<Q>, result: Result<&Response<B>, &RequestError>) -> Verdict {
    match result {
        Ok(response) => answered(request.method(), response),
        Err(error) => unanswered(request.method(), error),
    }
}

/// The class of a response, of whatever HTTP client.
pub(crate) fn answered<B>(method: &Method, response: &Response<B>) -> Verdict {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => told(response.headers(), SystemTime::now()),
        StatusCode::SERVICE_UNAVAILABLE if method.is_idempotent() => {
            told(response.headers(), SystemTime::now())
        }
        _ => Verdict::Return,
    }
}

/// The class of what kept a request from being answered.
pub(crate) fn unanswered(method: &Method, error: &RequestError) -> Verdict {
    match error {
        RequestError::Unprocessed | RequestError::Draining => Verdict::RetryUnsent,
        RequestError::Aborted { .. } if method.is_idempotent() => Verdict::Retry,
        RequestError::Connection(error) if method.is_idempotent() => lost(error),
        // It may have been done, or fails alike every time.
        _ => Verdict::Return,
    }
}

use axum::http::Response;
use wt_connection::RequestError;
use wt_health::Outcome;

use crate::outcomes::connect::lost;
use crate::outcomes::open::answered;

/// What a plain HTTP request says about the backend.
#[must_use]
pub fn request<B>(result: Result<&Response<B>, &RequestError>) -> Outcome {
    match result {
        Ok(response) => answered(response.status()),
        Err(error) => unanswered(error),
    }
}

/// What it says that a request was not answered.
pub(crate) fn unanswered(error: &RequestError) -> Outcome {
    match error {
        RequestError::Unprocessed | RequestError::Aborted { .. } | RequestError::Malformed => {
            Outcome::Failure
        }
        RequestError::Connection(error) => lost(error),
        RequestError::Draining
        | RequestError::InvalidRequest(_)
        | RequestError::Body(_)
        | RequestError::NotClient => Outcome::Ignore,
        _ => Outcome::Failure,
    }
}

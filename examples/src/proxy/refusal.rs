use std::error::Error;
use std::iter;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;
use wt_balance::Unavailable;
use wt_connection::OpenError;
use wt_pool::PoolError;
use wt_retry::DeadlineExceeded;

use crate::proxy::onward::empty;

/// What a client hears when no session was opened: the server's own words, if it said any.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Response {
    let mut causes = iter::successors(Some(error), |error| (**error).source());
    let known = causes.find_map(|error| {
        if let Some(OpenError::Rejected(response)) = error.downcast_ref() {
            return Some(empty(response.status(), response.headers()));
        }
        Some(status(error)?.into_response())
    });
    known.unwrap_or_else(|| StatusCode::BAD_GATEWAY.into_response())
}

fn status(error: &(dyn Error + 'static)) -> Option<StatusCode> {
    if error.is::<Unavailable>() || error.is::<Overloaded>() {
        return Some(StatusCode::SERVICE_UNAVAILABLE);
    }
    if error.is::<Elapsed>() || error.is::<DeadlineExceeded>() {
        return Some(StatusCode::GATEWAY_TIMEOUT);
    }
    if let Some(OpenError::InvalidRequest(_)) = error.downcast_ref() {
        return Some(StatusCode::BAD_REQUEST);
    }
    match error.downcast_ref()? {
        // Its cause says what.
        PoolError::Connect(_) => None,
        _ => Some(StatusCode::SERVICE_UNAVAILABLE),
    }
}

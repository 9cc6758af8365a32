use axum::http::{Request, Response};
use tower::timeout::error::Elapsed;
use wt_connection::{ConnectError, OpenError, Session};
use wt_retry::{DeadlineExceeded, Verdict};

use crate::BoxError;
use crate::classes::connect::failed;
use crate::classes::open::not_opened;

/// The class of an attempt to open a session through layers that have made one error of all.
///
/// A timeout or a deadline of one attempt is worth another one: no session was established by it.
#[must_use]
pub fn boxed(_: &Request<()>, result: Result<&Response<Session>, &BoxError>) -> Verdict {
    match result {
        Ok(_) => Verdict::Return,
        Err(error) => unboxed(error),
    }
}

/// The class of an error, by what it is.
pub(crate) fn unboxed(error: &BoxError) -> Verdict {
    if let Some(error) = error.downcast_ref::<OpenError>() {
        not_opened(error)
    } else if let Some(error) = error.downcast_ref::<ConnectError>() {
        failed(error)
    } else if error.is::<Elapsed>() || error.is::<DeadlineExceeded>() {
        Verdict::Retry
    } else {
        Verdict::Return
    }
}

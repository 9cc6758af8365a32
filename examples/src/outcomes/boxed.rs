use tower::BoxError;
use tower::load_shed::error::Overloaded;
use wt_connection::{ConnectError, OpenError, RequestError};
use wt_health::Outcome;
use wt_pool::PoolError;

use crate::outcomes::connect::not_connected;
use crate::outcomes::open::not_opened;
use crate::outcomes::pool::pool;
use crate::outcomes::request::unanswered;

/// What a call says about the backend, through layers that have made one error of all.
///
/// A timeout is a failure, and so is whatever is not known.
#[must_use]
pub fn boxed<R>(result: Result<&R, &BoxError>) -> Outcome {
    let Err(error) = result else {
        return Outcome::Success;
    };
    if let Some(error) = error.downcast_ref::<OpenError>() {
        not_opened(error)
    } else if let Some(error) = error.downcast_ref::<RequestError>() {
        unanswered(error)
    } else if let Some(error) = error.downcast_ref::<ConnectError>() {
        not_connected(error)
    } else if let Some(error) = error.downcast_ref::<PoolError>() {
        pool(error)
    } else if error.is::<Overloaded>() {
        Outcome::Ignore
    } else {
        Outcome::Failure
    }
}

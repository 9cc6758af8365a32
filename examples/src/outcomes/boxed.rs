use std::error::Error;
use std::iter;

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
/// An error says what it, or the first of its causes that is known, says. A timeout is a failure, and
/// so is whatever is not known.
#[must_use]
pub fn boxed<R>(result: Result<&R, &BoxError>) -> Outcome {
    let Err(error) = result else {
        return Outcome::Success;
    };
    let first: &(dyn Error + 'static) = &**error;
    let mut causes = iter::successors(Some(first), |error| (**error).source());
    causes.find_map(known).unwrap_or(Outcome::Failure)
}

fn known(error: &(dyn Error + 'static)) -> Option<Outcome> {
    if let Some(error) = error.downcast_ref::<OpenError>() {
        Some(not_opened(error))
    } else if let Some(error) = error.downcast_ref::<RequestError>() {
        Some(unanswered(error))
    } else if let Some(error) = error.downcast_ref::<ConnectError>() {
        Some(not_connected(error))
    } else if let Some(error) = error.downcast_ref::<PoolError>() {
        Some(pool(error))
    } else {
        error.is::<Overloaded>().then_some(Outcome::Ignore)
    }
}

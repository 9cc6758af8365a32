use std::error::Error;

use tower::BoxError;
use tower::load_shed::error::Overloaded;
use wt_connection::{ConnectError, ConnectionError, OpenError, RequestError, SessionError};
use wt_health::Outcome;
use wt_pool::PoolError;

use crate::error::chain;
use crate::outcomes::connect::{lost, not_connected};
use crate::outcomes::open::not_opened;
use crate::outcomes::pool::pool;
use crate::outcomes::request::unanswered;

/// What a call says about the backend, through layers that have made one error of all.
///
/// An error says what it, or the first of its causes that is known, says. That is so for what
/// breaks off a session, too: a stream's error says what the end of its session says, or of the
/// connection below. A timeout is a failure, and so is whatever is not known.
#[must_use]
pub fn boxed<R>(result: Result<&R, &BoxError>) -> Outcome {
    let Err(error) = result else {
        return Outcome::Success;
    };
    chain(&**error).find_map(known).unwrap_or(Outcome::Failure)
}

fn known(error: &(dyn Error + 'static)) -> Option<Outcome> {
    if let Some(error) = error.downcast_ref::<OpenError>() {
        Some(not_opened(error))
    } else if let Some(error) = error.downcast_ref::<RequestError>() {
        Some(unanswered(error))
    } else if let Some(error) = error.downcast_ref::<ConnectError>() {
        Some(not_connected(error))
    } else if let Some(error) = error.downcast_ref::<SessionError>() {
        ended(error)
    } else if let Some(error) = error.downcast_ref::<ConnectionError>() {
        Some(lost(error))
    } else if let Some(error) = error.downcast_ref::<PoolError>() {
        Some(pool(error))
    } else {
        error.is::<Overloaded>().then_some(Outcome::Ignore)
    }
}

/// What it says that a session is over before the call was done; where the connection is, its own
/// error says it.
fn ended(error: &SessionError) -> Option<Outcome> {
    match error {
        SessionError::Connection(_) => None,
        SessionError::Closed(_) | SessionError::InvalidResponse => Some(Outcome::Ignore),
        _ => Some(Outcome::Failure),
    }
}

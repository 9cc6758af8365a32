use axum::http::Request;
use wt_connection::ConnectionError;
use wt_health::Outcome;
use wt_retry::Verdict;

use crate::classes::boxed::unboxed;
use crate::error::chain;
use crate::{BoxError, outcomes};

/// The class of a call that may be made twice, through layers that have made one error of all.
///
/// Whatever its backend could not do is worth another attempt, sent or not: another backend may be
/// able to. So is a call whose connection was closed under it, in order too, and by this side's
/// pool, too. What this side refuses is not.
#[must_use]
pub fn repeatable<R>(_: &Request<()>, result: Result<&R, &BoxError>) -> Verdict {
    let Err(error) = result else {
        return Verdict::Return;
    };
    match unboxed(error) {
        Verdict::Return if is_lost(error) || outcomes::boxed(result) == Outcome::Failure => {
            Verdict::Retry
        }
        verdict => verdict,
    }
}

/// Says whether the connection was over before the call was.
fn is_lost(error: &BoxError) -> bool {
    chain(&**error).any(|error| error.is::<ConnectionError>())
}

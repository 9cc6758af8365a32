use axum::http::Request;
use wt_health::Outcome;
use wt_retry::Verdict;

use crate::classes::boxed::unboxed;
use crate::{BoxError, outcomes};

/// The class of a call that may be made twice, through layers that have made one error of all.
///
/// Whatever its backend could not do is worth another attempt, sent or not: another backend may be
/// able to. What this side refuses is not.
#[must_use]
pub fn repeatable<R>(_: &Request<()>, result: Result<&R, &BoxError>) -> Verdict {
    let Err(error) = result else {
        return Verdict::Return;
    };
    match unboxed(error) {
        Verdict::Return if outcomes::boxed(result) == Outcome::Failure => Verdict::Retry,
        verdict => verdict,
    }
}

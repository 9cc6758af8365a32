use wt_balance::Outcome;
use wt_health::Outcome as Verdict;

use crate::BoxError;
use crate::outcomes::boxed::boxed;

/// What [`boxed`] says about the backend, as a [`BalanceLayer`](wt_balance::BalanceLayer) hears it.
///
/// To a balancer, any error is a failure by default, also the goodbye of a server that is restarted
/// in order, which would then be asked last when it is back.
#[must_use]
pub fn balanced<R>(result: Result<&R, &BoxError>) -> Outcome {
    match boxed(result) {
        Verdict::Success => Outcome::Success,
        Verdict::Failure => Outcome::FAILURE,
        _ => Outcome::Ignore,
    }
}

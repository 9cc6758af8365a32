//! How much may be retried.

mod bucket;
mod budgets;
mod purse;
mod ratio;
mod throttle;

use std::sync::{Arc, atomic};

pub use budgets::Budgets;
pub use ratio::{RatioBudget, RatioPermit};
pub use throttle::Throttle;

/// Decides whether another retry may be made.
///
/// One budget stands for one destination and is shared by all who call it; to share, the methods
/// take `&self`. They are called in the middle of calls: they neither wait nor fail.
///
/// A budget that allows as many retries at a time as there are permits of a semaphore:
///
/// ```
/// use std::sync::Arc;
///
/// use tokio::sync::{OwnedSemaphorePermit, Semaphore};
/// use wt_retry::budget::Budget;
///
/// struct AtATime(Arc<Semaphore>);
///
/// impl Budget for AtATime {
///     type Permit = OwnedSemaphorePermit;
///
///     fn deposit(&self) {}
///
///     fn withdraw(&self) -> Option<Self::Permit> {
///         Arc::clone(&self.0).try_acquire_owned().ok()
///     }
/// }
/// ```
pub trait Budget {
    /// What one retry holds: from the decision to make it until it is answered or given up.
    ///
    /// Giving back is the work of its `Drop`.
    type Permit;

    /// Takes note of a call's first attempt. Retries deposit nothing.
    fn deposit(&self);

    /// Asks for one retry.
    fn withdraw(&self) -> Option<Self::Permit>;

    /// Takes note that a retry is being sent. One that is given up before that never comes here.
    fn sent(&self, _permit: &mut Self::Permit) {}

    /// Takes note of an attempt's outcome: a failure that is worth a retry, or else a response.
    ///
    /// It does not hear of errors that are final, nor of what never reached the application.
    fn answered(&self, _failed: bool) {}

    /// Whether [`answered`](Self::answered) must hear of last attempts too.
    ///
    /// Their requests are saved for that and thrown away. Default: no.
    fn observes(&self) -> bool {
        false
    }
}

impl<B: Budget + ?Sized> Budget for Arc<B> {
    type Permit = B::Permit;

    fn deposit(&self) {
        (**self).deposit();
    }

    fn withdraw(&self) -> Option<Self::Permit> {
        (**self).withdraw()
    }

    fn sent(&self, permit: &mut Self::Permit) {
        (**self).sent(permit);
    }

    fn answered(&self, failed: bool) {
        (**self).answered(failed);
    }

    fn observes(&self) -> bool {
        (**self).observes()
    }
}

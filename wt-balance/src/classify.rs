use std::any::Any;
use std::error::Error;
use std::iter;
use std::time::Duration;

use tower::BoxError;
use tower::load_shed::error::Overloaded;

/// What an outcome says of the backend that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend did what it should; the time it took counts.
    Success,
    /// The backend failed, and [rests](crate::BalanceLayer::rest), the longer if it goes on.
    Failure {
        /// How long it asked to be left alone; it is passed over meanwhile if there are others.
        retry_after: Option<Duration>,
    },
    /// It says nothing of the backend: a fault of the caller's, or a limit on this side.
    Ignore,
}

impl Outcome {
    /// A failure without a hint.
    pub const FAILURE: Self = Self::Failure { retry_after: None };
}

/// Says what each outcome is: a closure will do.
///
/// ```
/// use std::time::Duration;
///
/// use wt_balance::{BalanceLayer, Outcome};
///
/// let classify = |result: Result<&u16, &std::io::Error>| match result {
///     Ok(503) => Outcome::Failure { retry_after: Some(Duration::from_secs(1)) },
///     Ok(500..) | Err(_) => Outcome::FAILURE,
///     Ok(400..) => Outcome::Ignore,
///     Ok(_) => Outcome::Success,
/// };
/// let layer = BalanceLayer::new(["one", "two"]).classify(classify);
/// # let _ = layer;
/// ```
pub trait Classify<R, E> {
    /// Says what one outcome is.
    fn classify(&self, result: Result<&R, &E>) -> Outcome;
}

impl<F, R, E> Classify<R, E> for F
where
    F: Fn(Result<&R, &E>) -> Outcome,
{
    fn classify(&self, result: Result<&R, &E>) -> Outcome {
        self(result)
    }
}

/// The default: an error is a failure, but for tower's
/// [`Overloaded`], which a limit on this side gives and no backend;
/// it is looked for among the causes of a `BoxError`, too.
///
/// What a backend refuses since it is about to end in order is an error, too. Where errors tell
/// that, as HTTP/2 and HTTP/3 do by GOAWAY, a classifier of one's own had better
/// [ignore](Outcome::Ignore) it, or calls that meet a restart make the backend one that fails,
/// which is asked last for as long as that is remembered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ByError;

impl<R, E: 'static> Classify<R, E> for ByError {
    #[inline]
    fn classify(&self, result: Result<&R, &E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if is_local(error) => Outcome::Ignore,
            Err(_) => Outcome::FAILURE,
        }
    }
}

fn is_local(error: &dyn Any) -> bool {
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        let first: &(dyn Error + 'static) = &**boxed;
        let mut causes = iter::successors(Some(first), |error| (*error).source());
        return causes.any(|cause| cause.is::<Overloaded>());
    }
    error.is::<Overloaded>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] Overloaded);

    fn classify<E: 'static>(error: &E) -> Outcome {
        let result: Result<&(), &E> = Err(error);
        ByError.classify(result)
    }

    #[test]
    fn errors_are_failures_but_for_tower_s_overloaded() {
        assert_eq!(classify(&std::fmt::Error), Outcome::FAILURE);
        assert_eq!(classify(&BoxError::from("no")), Outcome::FAILURE);
        assert_eq!(classify(&Overloaded::new()), Outcome::Ignore);
        assert_eq!(
            classify(&BoxError::from(Overloaded::new())),
            Outcome::Ignore
        );
        let wrapped = BoxError::from(Wrapped(Overloaded::new()));
        assert_eq!(classify(&wrapped), Outcome::Ignore);
        let success: Result<&(), &BoxError> = Ok(&());
        assert_eq!(ByError.classify(success), Outcome::Success);
    }
}

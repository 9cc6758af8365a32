use std::any::Any;
use std::error::Error;
use std::iter;

use tower::BoxError;
use tower::load_shed::error::Overloaded;

/// What the outcome of a call says about its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend does its work, whatever the answer is: a client's own fault is one, too.
    Success,
    /// The backend failed.
    Failure,
    /// It says nothing: the call never reached the backend, for one.
    Ignore,
}

/// Says what the outcome of a call says about its backend; any `Fn(Result<&R, &E>) -> Outcome`.
pub trait Classify<R, E> {
    /// The outcome of one call, or of the backend's readiness if that has failed.
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

/// Takes every error for a failure of the backend, except tower's [`Overloaded`], which is ignored:
/// a limit on this side says nothing about the other.
///
/// A boxed error is `Overloaded` if it or one of its causes is.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ByError;

impl<R, E: 'static> Classify<R, E> for ByError {
    fn classify(&self, result: Result<&R, &E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if is_overloaded(error) => Outcome::Ignore,
            Err(_) => Outcome::Failure,
        }
    }
}

fn is_overloaded(error: &dyn Any) -> bool {
    if let Some(error) = error.downcast_ref::<BoxError>() {
        let first: &(dyn Error + 'static) = &**error;
        let mut causes = iter::successors(Some(first), |error| (**error).source());
        return causes.any(|error| error.is::<Overloaded>());
    }
    error.is::<Overloaded>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class<E: 'static>(error: &E) -> Outcome {
        ByError.classify(Err::<&(), _>(error))
    }

    #[test]
    fn errors_are_failures() {
        assert_eq!(class(&"no"), Outcome::Failure);
        assert_eq!(class(&BoxError::from("no")), Outcome::Failure);
        assert_eq!(
            class(&tower::timeout::error::Elapsed::new()),
            Outcome::Failure
        );
    }

    #[test]
    fn a_local_limit_says_nothing() {
        #[derive(Debug, thiserror::Error)]
        #[error("shed")]
        struct Shed(#[source] Overloaded);

        assert_eq!(class(&Overloaded::new()), Outcome::Ignore);
        assert_eq!(class(&BoxError::from(Overloaded::new())), Outcome::Ignore);
        let caused = BoxError::from(Shed(Overloaded::new()));
        assert_eq!(class(&caused), Outcome::Ignore);
    }

    #[test]
    fn answers_are_successes() {
        let result: Result<&(), &&str> = Ok(&());

        assert_eq!(ByError.classify(result), Outcome::Success);
    }
}

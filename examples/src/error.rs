use std::error::Error;
use std::iter;

/// Any failure.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Writes an error and its causes in one line.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<_> = chain(error).map(ToString::to_string).collect();
    causes.join(": ")
}

/// An error and its causes.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (**error).source())
}

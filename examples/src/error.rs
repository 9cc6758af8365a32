use std::error::Error;
use std::iter;

/// Any failure.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Writes an error and its causes in one line.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    iter::successors(Some(error), |error| (**error).source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

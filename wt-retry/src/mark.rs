//! How the number of an attempt and its deadline travel in the request.

use std::fmt;

pub use crate::attempt::Attempt;

/// Reads and writes an [`Attempt`] in requests of one type.
///
/// Without it, which is the default, neither is known: a retry layer then starts delays beyond the
/// deadline of a [`DeadlineLayer`](crate::DeadlineLayer) above it, which ends them, and nested
/// retry layers multiply their attempts.
pub trait Mark<Req> {
    /// Reads what the request carries; [`Attempt::default`] if that is nothing.
    fn read(&self, request: &Req) -> Attempt;

    /// Puts `attempt` in the place of what the request carries.
    fn write(&self, request: &mut Req, attempt: Attempt);
}

/// Nothing travels in the request.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit struct is written as it is"
)]
pub struct Unmarked;

impl<Req> Mark<Req> for Unmarked {
    fn read(&self, _: &Req) -> Attempt {
        Attempt::default()
    }

    fn write(&self, _: &mut Req, _: Attempt) {}
}

/// A [`Mark`] of two closures.
///
/// ```
/// use wt_retry::mark::{Attempt, Mark, Marks};
///
/// struct Question {
///     text: &'static str,
///     attempt: Attempt,
/// }
///
/// let marks = Marks::new(
///     |question: &Question| question.attempt,
///     |question: &mut Question, attempt| question.attempt = attempt,
/// );
///
/// let attempt = Attempt::default();
/// let mut question = Question { text: "which way?", attempt };
/// marks.write(&mut question, attempt.with_number(2));
/// assert_eq!(marks.read(&question).number(), Some(2));
/// # let _ = question.text;
/// ```
#[derive(Clone, Copy)]
pub struct Marks<R, W> {
    read: R,
    write: W,
}

impl<R, W> Marks<R, W> {
    /// Reads by one closure, writes by the other.
    #[must_use]
    pub fn new<Req>(read: R, write: W) -> Self
    where
        R: Fn(&Req) -> Attempt,
        W: Fn(&mut Req, Attempt),
    {
        Self { read, write }
    }
}

impl<Req, R, W> Mark<Req> for Marks<R, W>
where
    R: Fn(&Req) -> Attempt,
    W: Fn(&mut Req, Attempt),
{
    fn read(&self, request: &Req) -> Attempt {
        (self.read)(request)
    }

    fn write(&self, request: &mut Req, attempt: Attempt) {
        (self.write)(request, attempt);
    }
}

impl<R, W> fmt::Debug for Marks<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").finish_non_exhaustive()
    }
}

/// In the extensions of an [`http::Request`]: services below read an [`Attempt`] there.
///
/// Writing allocates there. With the feature `http`.
#[cfg(feature = "http")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit struct is written as it is"
)]
pub struct InExtensions;

#[cfg(feature = "http")]
impl<B> Mark<http::Request<B>> for InExtensions {
    fn read(&self, request: &http::Request<B>) -> Attempt {
        let attempt = request.extensions().get::<Attempt>();
        attempt.copied().unwrap_or_default()
    }

    fn write(&self, request: &mut http::Request<B>, attempt: Attempt) {
        request.extensions_mut().insert(attempt);
    }
}

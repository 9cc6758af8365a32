//! How long to wait before each retry.

mod constant;
mod exponential;
mod jitter;
mod list;
mod seeds;

use std::time::Duration;

pub use constant::Constant;
pub use exponential::{Exponential, ExponentialDelays};
pub use jitter::Jitter;
pub use list::{List, ListDelays};

/// Gives each call its own sequence of delays: `Fn() -> impl Iterator<Item = Duration>`.
///
/// Asked at most once per call, when its first attempt has failed; the end of the sequence ends the
/// call. Any closure of that shape is a backoff:
///
/// ```
/// use std::iter;
/// use std::time::Duration;
///
/// use backon::{BackoffBuilder, FibonacciBuilder};
/// use wt_retry::backoff::Backoff;
///
/// fn accepts(_: impl Backoff) {}
///
/// accepts(|| iter::successors(Some(Duration::from_millis(1)), |delay| Some(*delay * 3)));
///
/// let builder = FibonacciBuilder::default().with_jitter();
/// accepts(move || builder.build());
/// ```
pub trait Backoff {
    /// The delays of one call, before its first retry, its second, and so on.
    type Delays: Iterator<Item = Duration>;

    /// Begins the sequence of one call.
    fn delays(&self) -> Self::Delays;
}

impl<F, I> Backoff for F
where
    F: Fn() -> I,
    I: Iterator<Item = Duration>,
{
    type Delays = I;

    fn delays(&self) -> I {
        self()
    }
}

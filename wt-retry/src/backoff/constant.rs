use std::iter::{Repeat, repeat};
use std::time::Duration;

use crate::backoff::Backoff;

/// The same delay before every retry.
///
/// Calls that failed together come back together; [`Exponential`](super::Exponential) spreads them.
#[derive(Clone, Copy, Debug)]
pub struct Constant(Duration);

impl Constant {
    /// Waits as long before every retry.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self(delay)
    }
}

impl Backoff for Constant {
    type Delays = Repeat<Duration>;

    fn delays(&self) -> Self::Delays {
        repeat(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_does_not_end() {
        let delay = Duration::from_secs(3);

        let delays: Vec<_> = Constant::new(delay).delays().take(100).collect();

        assert_eq!(delays, [delay; 100]);
    }
}

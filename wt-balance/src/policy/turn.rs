//! Whose turn it is, in one word.

// The crate's: std's there, loom's in its test.
use crate::atomic::{AtomicU64, Ordering};

/// The number of whoever had the last turn; 0 at first.
#[derive(Debug)]
pub(crate) struct Turn(AtomicU64);

impl Turn {
    /// Takes the turn of whom `next` has follow the last one, by its `number`; of none, if there is
    /// none.
    pub(crate) fn take(
        &self,
        next: impl Fn(u64) -> Option<usize>,
        number: impl Fn(usize) -> u64,
    ) -> Option<usize> {
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            let place = next(last)?;
            let taken = self.0.compare_exchange_weak(
                last,
                number(place),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match taken {
                Ok(_) => return Some(place),
                // Another that has been served meanwhile moves this one on.
                Err(newer) => last = newer,
            }
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

//! Which of a backend's services is of use, in one word.

// The crate's: std's there, loom's in its test.
use crate::atomic::{AtomicU64, Ordering};

/// Services from this one on are of use; none are after the backend has been removed.
#[derive(Debug)]
pub(crate) struct Generation(AtomicU64);

impl Generation {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The service of this generation is of no use any more. Says whether it was until now.
    pub(crate) fn retire(&self, generation: u64) -> bool {
        let next = generation.saturating_add(1);
        self.0.fetch_max(next, Ordering::AcqRel) <= generation
    }

    pub(crate) fn remove(&self) {
        self.0.fetch_max(u64::MAX, Ordering::AcqRel);
    }

    pub(crate) fn is_removed(&self) -> bool {
        !self.is_current(u64::MAX - 1)
    }

    /// Whether the service of this generation is of use.
    #[inline]
    pub(crate) fn is_current(&self, generation: u64) -> bool {
        generation >= self.0.load(Ordering::Acquire)
    }
}

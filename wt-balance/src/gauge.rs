//! How many calls a backend has, and has had, in one word.

// The parent's: std's in the crate, loom's in its test.
use super::atomic::{AtomicU64, Ordering};

/// Calls under way, and all of them.
///
/// The lower 24 bits count what is in flight, the others what has begun: a pick reads one word.
#[derive(Debug)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn begin(&self) {
        self.0.fetch_add(BEGUN + 1, Ordering::SeqCst);
    }

    /// Says whether none is in flight any more.
    pub(crate) fn end(&self) -> bool {
        let before = self.0.fetch_sub(1, Ordering::SeqCst);
        before & (BEGUN - 1) == 1
    }

    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) & (BEGUN - 1)) as u32
    }

    /// As [`in_flight`](Self::in_flight), in order with what is sequentially consistent.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::SeqCst) & (BEGUN - 1) == 0
    }

    pub(crate) fn calls(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / BEGUN
    }
}

/// One call that has begun. More than 16 million at once on one backend do not occur: their futures
/// alone would fill gigabytes.
const BEGUN: u64 = 1 << 24;

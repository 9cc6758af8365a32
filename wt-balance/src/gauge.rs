//! How many calls a backend has, and has had, in one word.

// The parent's: std's in the crate, loom's in its test.
use super::atomic::{AtomicU64, Ordering};

/// Calls under way, and all of them.
///
/// The lower bits count what is in flight, one says whether its end is waited for, and the upper
/// bits count what has begun: a pick reads one word, and all changes of it have one order.
#[derive(Debug)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Says how many are in flight then.
    #[inline]
    pub(crate) fn begin(&self) -> u32 {
        let before = self.0.fetch_add(BEGUN + 1, Ordering::Relaxed);
        (before & IN_FLIGHT) as u32 + 1
    }

    /// Says how many are in flight then, and whether that is none and waited for.
    #[inline]
    pub(crate) fn end(&self) -> (u32, bool) {
        let before = self.0.fetch_sub(1, Ordering::AcqRel);
        let in_flight = (before & IN_FLIGHT) as u32 - 1;
        (in_flight, in_flight == 0 && before & AWAITED != 0)
    }

    /// From now on, [`end`](Self::end) says so.
    pub(crate) fn await_end(&self) {
        self.0.fetch_or(AWAITED, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) & IN_FLIGHT) as u32
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) & IN_FLIGHT == 0
    }

    pub(crate) fn calls(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / BEGUN
    }
}

/// More than 16 million calls at once on one backend do not occur: their futures alone would fill
/// gigabytes.
const IN_FLIGHT: u64 = AWAITED - 1;
const AWAITED: u64 = 1 << 24;
/// One call that has begun.
const BEGUN: u64 = AWAITED << 1;

//! How many calls a backend has, and has had, in one word.

// The parent's: std's in the crate, loom's in its test.
use super::atomic::{AtomicU64, Ordering};

/// Calls under way, and all of them.
///
/// The lower bits count what is in flight, one says whether its end is waited for, and the upper
/// bits count what has begun: a pick reads one word, and all changes of it have one order.
#[derive(Debug)]
pub(crate) struct Gauge {
    word: AtomicU64,
    /// How often the upper bits have overflown: each 2^39 calls.
    carried: AtomicU64,
}

impl Gauge {
    pub(crate) fn new() -> Self {
        Self::of(0)
    }

    /// So many calls have begun, and ended.
    pub(crate) fn of(calls: u64) -> Self {
        Self {
            word: AtomicU64::new(calls.wrapping_mul(BEGUN)),
            carried: AtomicU64::new(calls / CARRY),
        }
    }

    /// Says how many are in flight then, and whether one may begin: not if the end is waited for.
    /// It is to [end](Self::end) in any case.
    #[inline]
    pub(crate) fn begin(&self) -> (u32, bool) {
        let before = self.word.fetch_add(BEGUN + 1, Ordering::Relaxed);
        if before >= FULL {
            // It begins at 0 again.
            self.carried.fetch_add(1, Ordering::Relaxed);
        }
        ((before & IN_FLIGHT) as u32 + 1, before & AWAITED == 0)
    }

    /// Says how many are in flight then, and whether that is none and waited for.
    #[inline]
    pub(crate) fn end(&self) -> (u32, bool) {
        let before = self.word.fetch_sub(1, Ordering::AcqRel);
        let in_flight = (before & IN_FLIGHT) as u32 - 1;
        (in_flight, in_flight == 0 && before & AWAITED != 0)
    }

    /// From now on, [`end`](Self::end) says so.
    pub(crate) fn await_end(&self) {
        self.word.fetch_or(AWAITED, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn in_flight(&self) -> u32 {
        (self.word.load(Ordering::Relaxed) & IN_FLIGHT) as u32
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.word.load(Ordering::Acquire) & IN_FLIGHT == 0
    }

    pub(crate) fn calls(&self) -> u64 {
        let carried = self.carried.load(Ordering::Relaxed).wrapping_mul(CARRY);
        carried.wrapping_add(self.word.load(Ordering::Relaxed) / BEGUN)
    }
}

/// More than 16 million calls at once on one backend do not occur: their futures alone would fill
/// gigabytes.
const IN_FLIGHT: u64 = AWAITED - 1;
const AWAITED: u64 = 1 << 24;
/// One call that has begun.
const BEGUN: u64 = AWAITED << 1;
/// The upper bits count no further than this.
const CARRY: u64 = u64::MAX / BEGUN + 1;
/// All of them are set.
const FULL: u64 = (CARRY - 1) * BEGUN;

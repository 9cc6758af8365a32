//! Until when a backend is passed over, in one word.

// The crate's: std's there, loom's in its test.
use crate::atomic::{AtomicU64, Ordering};

/// 0 if it is not; or else a time, whose lowest bit says that the backend asked for that itself.
#[derive(Debug)]
pub(crate) struct Rest(AtomicU64);

impl Rest {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// It was not ready, and is to be asked again then.
    pub(crate) fn begin(&self, until: u64) {
        self.0.fetch_max(until & !ASKED, Ordering::Relaxed);
    }

    /// It has asked to be left alone until then.
    pub(crate) fn ask(&self, until: u64) {
        self.0.fetch_max(until | ASKED, Ordering::Relaxed);
    }

    /// It is ready, or has room for another call; what it has asked for holds.
    #[inline]
    pub(crate) fn end(&self) {
        let rest = self.0.load(Ordering::Relaxed);
        if rest != 0 && rest & ASKED == 0 {
            self.clear(rest);
        }
    }

    /// As [`end`](Self::end); what it has asked for is over by now, or holds. No pick has to look
    /// at the clock for that again.
    #[inline]
    pub(crate) fn end_by(&self, now: u64) {
        let rest = self.0.load(Ordering::Relaxed);
        if rest != 0 && (rest & ASKED == 0 || rest <= now) {
            self.clear(rest);
        }
    }

    fn clear(&self, rest: u64) {
        // If another has changed it meanwhile, that is newer.
        let _ = self
            .0
            .compare_exchange(rest, 0, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Until when; 0 if it does not.
    #[inline]
    pub(crate) fn until(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it was ready when it was asked last, and has not asked to be left alone.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        let rest = self.until();
        rest == 0 || (rest & ASKED != 0 && rest <= now)
    }
}

/// Marks a rest that the backend asked for.
const ASKED: u64 = 1;

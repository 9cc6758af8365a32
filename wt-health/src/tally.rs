//! The outcomes of a backend's calls, counted by all who make them.

use crate::atomic::{AtomicU64, Ordering};

/// Each word stands for itself alone, so no order between them is needed.
///
/// It has a cache line of its own: what is only read is elsewhere.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Tally {
    successes: AtomicU64,
    failures: AtomicU64,
    ignored: AtomicU64,
    /// Failures in a row: the epoch above, their number below.
    streak: AtomicU64,
    /// What had been counted when it was last taken: here, so that who takes needs no other line.
    taken: [AtomicU64; 3],
}

/// How many outcomes there have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn success(&self, epoch: u32) {
        self.successes.fetch_add(1, Ordering::Relaxed);
        let streak = self.streak.load(Ordering::Relaxed);
        if streak as u32 != 0 {
            self.end_streak(epoch, streak);
        }
    }

    /// Says how many have failed in a row in this epoch, or nothing if it is past.
    pub(crate) fn failure(&self, epoch: u32) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.streak.load(Ordering::Relaxed);
        loop {
            let of = (seen >> 32) as u32;
            if is_past(epoch, of) {
                return 0;
            }
            let before = if of == epoch { seen as u32 } else { 0 };
            let count = before.saturating_add(1);
            let next = u64::from(epoch) << 32 | u64::from(count);
            match self.swap_streak(seen, next) {
                Ok(()) => return count,
                Err(other) => seen = other,
            }
        }
    }

    #[inline]
    pub(crate) fn ignored(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
    }

    /// Failures in a row, now.
    pub(crate) fn streak(&self, epoch: u32) -> u32 {
        let streak = self.streak.load(Ordering::Relaxed);
        if (streak >> 32) as u32 == epoch {
            streak as u32
        } else {
            0
        }
    }

    /// What has been counted in all.
    pub(crate) fn read(&self) -> Counts {
        Counts {
            successes: self.successes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            ignored: self.ignored.load(Ordering::Relaxed),
        }
    }

    /// What has been counted since it was last taken. One at a time may take.
    pub(crate) fn take(&self) -> Counts {
        let now = self.read();
        let [successes, failures, ignored] = &self.taken;
        Counts {
            successes: since(successes, now.successes),
            failures: since(failures, now.failures),
            ignored: since(ignored, now.ignored),
        }
    }

    #[cold]
    fn end_streak(&self, epoch: u32, mut seen: u64) {
        while seen as u32 != 0 && (seen >> 32) as u32 == epoch {
            match self.swap_streak(seen, u64::from(epoch) << 32) {
                Ok(()) => return,
                Err(other) => seen = other,
            }
        }
    }

    fn swap_streak(&self, seen: u64, next: u64) -> Result<(), u64> {
        let relaxed = Ordering::Relaxed;
        let swapped = self
            .streak
            .compare_exchange_weak(seen, next, relaxed, relaxed);
        swapped.map(drop)
    }
}

impl Counts {
    pub(crate) fn calls(self) -> u64 {
        self.successes + self.failures
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// How much more `now` is than what was seen last.
fn since(seen: &AtomicU64, now: u64) -> u64 {
    let before = seen.load(Ordering::Relaxed);
    seen.store(now, Ordering::Relaxed);
    now.wrapping_sub(before)
}

/// Epochs go round.
fn is_past(epoch: u32, now: u32) -> bool {
    epoch != now && now.wrapping_sub(epoch) < u32::MAX / 2
}

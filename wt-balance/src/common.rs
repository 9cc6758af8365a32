use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Nanos, nanos};
use crate::level::Level;
use crate::peak_ewma::Decay;
use crate::timing::{self, Since, Timing};

/// What all backends of one set share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) decay: Decay,
    /// A call dropped unanswered after so long is a failure.
    pub(crate) overdue: Option<Duration>,
    /// The longest rest after failures, in nanoseconds.
    rest: u64,
    /// The median of the levels.
    typical: AtomicI64,
    /// The latency that this stands for, as it was measured: nothing of it has worn off.
    usual: AtomicU64,
    /// How many calls have been timed since the last census, but for some that came together.
    timed: AtomicU64,
    /// How many are not timed after one that is.
    skips: AtomicU32,
    /// When the next census is due.
    pub(crate) census_at: AtomicU64,
    /// Set for good when the set is shut down.
    closing: AtomicBool,
    /// Told when the last call of a backend that was removed has ended.
    pub(crate) idle: Notify,
}

impl Common {
    pub(crate) fn new(decay: Duration, overdue: Option<Duration>, rest: Duration) -> Self {
        Self {
            clock: Clock::new(),
            decay: Decay::new(decay),
            overdue,
            rest: nanos(rest),
            typical: AtomicI64::new(UNKNOWN.0),
            usual: AtomicU64::new(UNKNOWN.log2().exp2().to_bits()),
            timed: AtomicU64::new(0),
            skips: AtomicU32::new(0),
            census_at: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            idle: Notify::new(),
        }
    }

    pub(crate) fn set_typical(&self, level: Level, latency: f64) {
        self.typical.store(level.0, Ordering::Relaxed);
        self.usual.store(latency.to_bits(), Ordering::Relaxed);
    }

    /// What a call takes, in nanoseconds, by the median of what is known of the backends; or what
    /// one is taken for of whose kind nothing is known.
    pub(crate) fn usual(&self) -> f64 {
        f64::from_bits(self.usual.load(Ordering::Relaxed))
    }

    /// The median of the levels, or what a backend is taken for of whose kind nothing is known.
    #[inline]
    pub(crate) fn typical(&self) -> Level {
        Level(self.typical.load(Ordering::Relaxed))
    }

    /// What a backend of this level is taken for.
    #[inline]
    pub(crate) fn known(&self, level: Level) -> Level {
        let typical = self.typical();
        // One that nobody has asked for long is not taken for much faster than the others.
        let known = level.max(typical.minus(FASTEST));
        select_unpredictable(level == Level::UNKNOWN, typical, known)
    }

    /// The longest rest after failures, or up to a quarter less: clients that have seen a backend
    /// fail together are not to come back together.
    pub(crate) fn longest_rest(&self) -> u64 {
        self.rest - fastrand::u64(..=self.rest / 4)
    }

    /// Says whether it was open.
    pub(crate) fn close(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// When a call begins, which is timed if it is its turn, or must be.
    #[inline]
    pub(crate) fn since(&self, timing: &mut Timing, must: bool) -> Since {
        if must {
            // It stands for no others that are not.
            return Since::exactly(self.now());
        }
        if timing.is_due(self.skips.load(Ordering::Relaxed)) {
            let timed = self.timed.load(Ordering::Relaxed);
            // Not worth a locked operation.
            self.timed.store(timed.wrapping_add(1), Ordering::Relaxed);
            return Since::exactly(self.now());
        }
        Since {
            at: self.past(),
            exact: false,
        }
    }

    /// So many nanoseconds after the last census, says anew which calls are timed.
    pub(crate) fn count_timed(&self, elapsed: u64) {
        let timed = self.timed.swap(0, Ordering::Relaxed);
        // Whether a call is overdue is to be known of each.
        if self.overdue.is_none() {
            let skips = timing::skips(timed, self.skips.load(Ordering::Relaxed), elapsed);
            self.skips.store(skips, Ordering::Relaxed);
        }
    }

    /// A time that has gone by, not long ago if there are calls; without a look at the clock.
    #[inline]
    pub(crate) fn past(&self) -> Nanos {
        let due = self.census_at.load(Ordering::Relaxed);
        Nanos(due.saturating_sub(CENSUS))
    }
}

/// The time between two looks at all backends: 10 ms.
pub(crate) const CENSUS: u64 = 10_000_000;

/// A thirty-second of what is typical.
const FASTEST: Level = Level(5 * Level::ONE);
/// The level of 1 ms at the beginning: all are alike until one has answered.
const UNKNOWN: Level = Level(20 * Level::ONE);

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand calls are timed, after so many that one of a few is.
    fn timed(overdue: Option<Duration>) -> usize {
        let common = Common::new(Duration::from_secs(10), overdue, Duration::ZERO);
        let mut timing = Timing::default();
        for _ in 0..10_000 {
            common.since(&mut timing, false);
        }
        common.count_timed(CENSUS);
        let calls = (0..1000).map(|_| common.since(&mut timing, false));
        calls.filter(|since| since.exact).count()
    }

    #[test]
    fn of_very_many_calls_a_few_are_timed() {
        assert!(timed(None) < 200);
    }

    /// Of those that were not timed, none was ever overdue.
    #[test]
    fn all_calls_are_timed_that_may_be_overdue() {
        assert_eq!(timed(Some(Duration::from_secs(1))), 1000);
    }
}

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Nanos, nanos};
use crate::level::Level;
use crate::peak_ewma::Decay;

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

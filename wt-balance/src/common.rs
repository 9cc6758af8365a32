use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Nanos};
use crate::peak_ewma::Decay;

/// What all backends of one set share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) clock: Clock,
    pub(crate) decay: Decay,
    /// A call dropped unanswered after so long is a failure.
    pub(crate) overdue: Option<Duration>,
    /// The median of the levels; `-inf` until one is known.
    typical: AtomicU64,
    /// Set for good when the set is shut down.
    closing: AtomicBool,
    /// Told when a backend has its last call ended, once the set is closing.
    pub(crate) idle: Notify,
}

impl Common {
    pub(crate) fn new(decay: Duration, overdue: Option<Duration>) -> Self {
        Self {
            clock: Clock::new(),
            decay: Decay::new(decay),
            overdue,
            typical: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            closing: AtomicBool::new(false),
            idle: Notify::new(),
        }
    }

    pub(crate) fn set_typical(&self, level: f64) {
        self.typical.store(level.to_bits(), Ordering::Relaxed);
    }

    /// The median of the levels, or what a backend is taken for of whose kind nothing is known.
    #[inline]
    pub(crate) fn typical(&self) -> f64 {
        let typical = f64::from_bits(self.typical.load(Ordering::Relaxed));
        if typical == f64::NEG_INFINITY {
            return UNKNOWN;
        }
        typical
    }

    /// Says whether it was open.
    pub(crate) fn close(&self) -> bool {
        !self.closing.swap(true, Ordering::SeqCst)
    }

    /// In order with the calls that end: who closes sees that one is in flight, or its end is told.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> Nanos {
        self.clock.now()
    }
}

/// The level of 1 ms at the beginning: all are alike until one has answered.
const UNKNOWN: f64 = 20.0;

use std::sync::{Arc, Weak};

use crate::atomic::{AtomicU64, Ordering};
use crate::classify::Outcome;
use crate::clock::Clock;
use crate::gate::{Gate, Mode};
use crate::judge::{Id, Judge};
use crate::tally::Tally;

/// What calls share of their backend: who may pass, and what came of it. No lock is taken here.
#[derive(Debug)]
pub(crate) struct Cell {
    gate: AtomicU64,
    pub(crate) tally: Tally,
    /// How many failures in a row the judge is told of; 0 for none.
    consecutive: u32,
    pub(crate) id: Id,
    pub(crate) clock: Arc<Clock>,
    /// The monitor's end is that of judging, too.
    judge: Weak<dyn Judge>,
}

impl Cell {
    pub(crate) fn new(id: Id, gate: Gate, shared: &Shared) -> Self {
        Self {
            gate: AtomicU64::new(gate.0),
            tally: Tally::default(),
            consecutive: shared.consecutive,
            id,
            clock: Arc::clone(&shared.clock),
            judge: Weak::clone(&shared.judge),
        }
    }

    #[inline]
    pub(crate) fn gate(&self) -> Gate {
        Gate(self.gate.load(Ordering::Relaxed))
    }

    /// Only under the lock of the fleet, so that nobody who looks there has seen it too late.
    pub(crate) fn set_gate(&self, gate: Gate) {
        self.gate.store(gate.0, Ordering::Relaxed);
    }

    /// The time of the coarse clock; none if the monitor is gone.
    #[inline]
    pub(crate) fn time(&self) -> Option<u64> {
        self.clock.read().or_else(|| self.wake_clock())
    }

    pub(crate) fn judge(&self) -> Option<Arc<dyn Judge>> {
        self.judge.upgrade()
    }

    /// Counts what came of a call that was made in `epoch`.
    #[inline]
    pub(crate) fn record(&self, epoch: u32, outcome: Outcome) {
        let gate = self.gate();
        // A call from before an ejection, or before its end, says nothing new.
        if gate.epoch() != epoch {
            return;
        }
        match (gate.mode(), outcome) {
            (Mode::Counting, Outcome::Success) => self.tally.success(epoch),
            (Mode::Counting, Outcome::Failure) => self.failure(epoch),
            (Mode::Counting, Outcome::Ignore) => self.tally.ignored(),
            (Mode::Proving, Outcome::Success) => self.proved(epoch, true),
            (Mode::Proving, Outcome::Failure) => self.proved(epoch, false),
            (Mode::Proving, Outcome::Ignore) | (Mode::Ignoring, _) => {}
        }
    }

    #[cold]
    fn wake_clock(&self) -> Option<u64> {
        Some(self.judge()?.wake_clock())
    }

    #[cold]
    fn failure(&self, epoch: u32) {
        let streak = self.tally.failure(epoch);
        // If it cannot be ejected then, it may be when so many more have failed.
        if streak > 0
            && streak.is_multiple_of(self.consecutive)
            && let Some(judge) = self.judge()
        {
            judge.failed(self.id, epoch);
        }
    }

    #[cold]
    fn proved(&self, epoch: u32, success: bool) {
        if let Some(judge) = self.judge() {
            judge.proved(self.id, epoch, success);
        }
    }
}

/// What the cells of one monitor share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) consecutive: u32,
    pub(crate) clock: Arc<Clock>,
    pub(crate) judge: Weak<dyn Judge>,
}

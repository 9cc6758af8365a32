//! What a backend's streak of failures makes of its figures.

use std::sync::atomic::Ordering;

use crate::clock::Nanos;
use crate::level::Level;
use crate::peak_ewma::PeakEwma;
use crate::stats::Stats;
use crate::streak::{SEVERAL, Streak};

impl Stats {
    /// It has failed, and is tried again.
    #[cold]
    pub(super) fn begin_in_spite(&self, now: Nanos) {
        let longest = self.common.longest_rest();
        self.change_streak(now, |streak| streak.call(longest, now));
    }

    /// Puts the load right, also of one whose rest is over.
    pub(crate) fn look(&self, now: Nanos) {
        if self.rests_until() != 0 {
            self.streak.change(|streak| {
                // What begins meanwhile has it rest again, after this.
                if streak.is_due(now) {
                    self.cost.store(Level::DUE.0, Ordering::Relaxed);
                }
            });
        }
        self.refresh(self.calls.in_flight());
    }

    /// It is back, if that is news. How long the call took is none: it may have waited for that.
    #[cold]
    pub(super) fn end_streak(&self, ewma: &mut PeakEwma, took: u64, now: Nanos) -> bool {
        let began = Nanos(now.0.saturating_sub(took));
        let end = |streak: &mut Streak| streak.is_ended_by(began).then(|| std::mem::take(streak));
        let Some(streak) = self.streak.change(end) else {
            return false;
        };
        if streak.is_outage(self.common.longest_rest()) {
            ewma.forget(self.common.decay, streak.failures, now);
        }
        if streak.failures >= SEVERAL {
            tracing::debug!(backend = &*self.name, "backend recovered");
        }
        true
    }

    /// The load follows.
    pub(super) fn change_streak<T>(&self, now: Nanos, change: impl FnOnce(&mut Streak) -> T) -> T {
        self.streak.change(|streak| {
            let changed = change(streak);
            if streak.until != 0 {
                let cost = Level::resting(now);
                self.cost.store(cost.0, Ordering::Relaxed);
            }
            changed
        })
    }
}

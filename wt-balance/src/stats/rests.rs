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
        let mut streak = self.streak();
        streak.call(self.common.longest_rest(), now);
        self.store_streak(streak, now);
    }

    /// Puts the load right, also of one whose rest is over.
    pub(crate) fn look(&self, now: Nanos) {
        if self.rests_until() != 0 && self.streak().is_due(now) {
            self.cost.store(Level::DUE.0, Ordering::Relaxed);
        }
        self.refresh(self.calls.in_flight());
    }

    /// It is back, if that is news. How long the call took is none: it may have waited for that.
    #[cold]
    pub(super) fn end_streak(&self, ewma: &mut PeakEwma, took: u64, now: Nanos) -> bool {
        let streak = self.streak();
        if !streak.is_ended_by(Nanos(now.0.saturating_sub(took))) {
            return false;
        }
        self.store_streak(Streak::default(), now);
        if streak.is_outage(self.common.longest_rest()) {
            ewma.forget(self.common.decay, streak.failures, now);
        }
        if streak.failures >= SEVERAL {
            tracing::debug!(backend = &*self.name, "backend recovered");
        }
        true
    }

    pub(super) fn streak(&self) -> Streak {
        Streak {
            failures: self.in_a_row.load(Ordering::Relaxed),
            since: self.since.load(Ordering::Relaxed),
            rest: self.last_rest.load(Ordering::Relaxed),
            until: self.rests_until(),
        }
    }

    /// The load follows.
    pub(super) fn store_streak(&self, streak: Streak, now: Nanos) {
        self.since.store(streak.since, Ordering::Relaxed);
        self.last_rest.store(streak.rest, Ordering::Relaxed);
        self.in_a_row.store(streak.failures, Ordering::Relaxed);
        self.until.store(streak.until, Ordering::Relaxed);
        if streak.until != 0 {
            let cost = Level::resting(now);
            self.cost.store(cost.0, Ordering::Relaxed);
        }
    }
}

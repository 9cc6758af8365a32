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
        self.heard.fetch_max(began.0, Ordering::Relaxed);
        if streak.is_outage(self.common.longest_rest()) {
            ewma.forget(self.common.decay, streak.failures, now);
        }
        if streak.failures >= SEVERAL {
            tracing::debug!(backend = &*self.name, "backend recovered");
        }
        true
    }

    /// When a call began that has succeeded, to the best of what is known before something else is
    /// noted now: no call before the last change took longer than the peak that it left.
    #[cold]
    pub(super) fn heard(&self, ewma: &PeakEwma, now: Nanos) -> Nanos {
        let judged = self.judged.swap(now.0, Ordering::Relaxed);
        if ewma.changed > judged && ewma.latency > 0.0 {
            let began = ewma.changed.saturating_sub(ewma.latency as u64);
            self.heard.fetch_max(began, Ordering::Relaxed);
        }
        Nanos(self.heard.load(Ordering::Relaxed))
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

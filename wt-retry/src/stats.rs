use std::sync::atomic::{AtomicU64, Ordering};

/// What the calls of a [`StandardPolicy`](crate::StandardPolicy) and its clones add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryStats {
    /// Attempts sent, retries among them.
    pub attempts: u64,
    /// Attempts sent after the first of a call.
    pub retries: u64,
    /// Retries that cost no budget, since what they repeat never reached the application.
    pub unsent: u64,
    /// Retries that the budget refused.
    pub budget_refusals: u64,
    /// Retries not made since the wait would have ended beyond the deadline.
    pub deadlines: u64,
    /// Outcomes for which the server said how long to wait.
    pub hints: u64,
}

/// The counters that a policy shares with its clones.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) calls: Counter,
    pub(crate) retries: Counter,
    pub(crate) unsent: Counter,
    pub(crate) budget_refusals: Counter,
    pub(crate) deadlines: Counter,
    pub(crate) hints: Counter,
}

impl Counters {
    pub(crate) fn stats(&self) -> RetryStats {
        let retries = self.retries.get();
        RetryStats {
            attempts: self.calls.get() + retries,
            retries,
            unsent: self.unsent.get(),
            budget_refusals: self.budget_refusals.get(),
            deadlines: self.deadlines.get(),
            hints: self.hints.get(),
        }
    }
}

/// Counts and orders nothing else.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

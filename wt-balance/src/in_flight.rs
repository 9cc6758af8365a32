use std::fmt;
use std::sync::Arc;

use crate::classify::Outcome;
use crate::stats::Stats;
use crate::timing::Since;

/// One call under way, until its response is complete.
///
/// It is what a [`TrackCompletion`](tower::load::TrackCompletion) is given: the call counts as load
/// on its backend until it is dropped. It keeps the figures of the backend, and not its service.
#[must_use = "the call ends when it is dropped"]
pub struct InFlight {
    stats: Arc<Stats>,
    since: Since,
    answered: bool,
}

impl InFlight {
    /// `None` if the backend has been removed: whoever waits for the end of its calls is not to
    /// miss one.
    #[inline]
    pub(crate) fn begin(stats: Arc<Stats>, since: Since) -> Option<Self> {
        let there = stats.begin(since.at);
        let begun = Self {
            stats,
            since,
            answered: !there,
        };
        there.then_some(begun)
    }

    /// The backend has answered.
    #[inline]
    pub(crate) fn answered(&mut self, outcome: Outcome) {
        self.answered = true;
        match outcome {
            Outcome::Success if !self.since.exact => self.stats.succeeded_untimed(),
            Outcome::Success => {
                let now = self.stats.common.now();
                self.stats.succeeded(now.since(self.since.at), now);
            }
            Outcome::Failure { retry_after } => {
                let now = self.stats.common.now();
                // Nothing is made of what is not known.
                let exact = Some(self.since).filter(|since| since.exact);
                let took = exact.map_or(0, |since| now.since(since.at));
                self.stats.failed(took, retry_after, now);
            }
            Outcome::Ignore => {
                let now = || self.stats.common.now();
                self.stats.ignored(self.since.at, now);
            }
        }
    }
}

impl Drop for InFlight {
    #[inline]
    fn drop(&mut self) {
        if !self.answered {
            let now = self.stats.common.now();
            self.stats
                .cancelled(now.since(self.since.at), self.since.exact, now);
        }
        if self.stats.end() {
            self.stats.common.idle.notify_waiters();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::course::Rules;
use crate::policy::StandardPolicy;
use crate::stats::Counters;

/// What all calls of a policy share.
#[derive(Clone)]
pub(crate) struct Settings<C, B, G, R, M> {
    pub(crate) rules: Rules,
    pub(crate) classify: C,
    pub(crate) backoff: B,
    pub(crate) budget: G,
    pub(crate) replay: R,
    pub(crate) mark: M,
    pub(crate) counters: Arc<Counters>,
}

impl<C, B, G, R, M> StandardPolicy<C, B, G, R, M>
where
    C: Clone,
    B: Backoff + Clone,
    G: Budget + Clone,
    R: Clone,
    M: Clone,
{
    /// How many attempts a call has at most, the first one among them. Default: 4.
    ///
    /// With 1, requests are not kept.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        assert!(attempts > 0, "a call has at least one attempt");
        let mut settings = self.settings();
        settings.rules.attempts = attempts;
        Self::with(settings)
    }

    /// The longest hint of a server that is waited for. Default: 30 s.
    ///
    /// A longer one ends the call: to come sooner is what the server asked not to do.
    #[must_use]
    pub fn longest_hint(self, longest_hint: Duration) -> Self {
        let mut settings = self.settings();
        settings.rules.longest_hint = longest_hint;
        Self::with(settings)
    }

    /// How much may be retried. Default: a [`RatioBudget`](crate::budget::RatioBudget) with its
    /// defaults.
    #[must_use]
    pub fn budget<N: Budget>(self, budget: N) -> StandardPolicy<C, B, N, R, M> {
        let settings = self.settings();
        StandardPolicy::with(Settings {
            rules: settings.rules,
            classify: settings.classify,
            backoff: settings.backoff,
            budget,
            replay: settings.replay,
            mark: settings.mark,
            counters: settings.counters,
        })
    }

    /// How a request is kept for another attempt. Default: [`Cloned`](crate::replay::Cloned).
    #[must_use]
    pub fn replay<N>(self, replay: N) -> StandardPolicy<C, B, G, N, M> {
        let settings = self.settings();
        StandardPolicy::with(Settings {
            rules: settings.rules,
            classify: settings.classify,
            backoff: settings.backoff,
            budget: settings.budget,
            replay,
            mark: settings.mark,
            counters: settings.counters,
        })
    }

    /// How the deadline is read and the number of an attempt is written. Default:
    /// [`Unmarked`](crate::mark::Unmarked).
    ///
    /// A policy cannot write into the first attempt;
    /// [`RetryLayer::standard`](crate::RetryLayer::standard) does.
    #[must_use]
    pub fn marks<N>(self, mark: N) -> StandardPolicy<C, B, G, R, N> {
        let settings = self.settings();
        StandardPolicy::with(Settings {
            rules: settings.rules,
            classify: settings.classify,
            backoff: settings.backoff,
            budget: settings.budget,
            replay: settings.replay,
            mark,
            counters: settings.counters,
        })
    }

    fn settings(self) -> Settings<C, B, G, R, M> {
        Arc::unwrap_or_clone(self.settings)
    }
}

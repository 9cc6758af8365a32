use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tower::retry::Policy;
use tracing::debug;

use crate::backoff::Backoff;
use crate::budget::{Budget, RatioBudget};
use crate::course::{Course, Rules, Step};
use crate::mark::{Mark, Unmarked};
use crate::reason::Reason;
use crate::replay::{Cloned, Replay};
use crate::settings::Settings;
use crate::stats::RetryStats;
use crate::verdict::Verdict;
use crate::wait::Wait;

/// A [`Policy`] of a classifier, a backoff and a budget; see the [crate docs](crate).
///
/// Works under this crate's [`Retry`](crate::Retry) and under tower's.
///
/// # Panics
///
/// Where a wait begins outside of a tokio runtime with timers.
///
/// # Clone
///
/// Clones share the counters, and what the clones of the parts share: a [`RatioBudget`] for one. A
/// clone has no call of its own yet.
pub struct StandardPolicy<C, B: Backoff, G: Budget = RatioBudget, R = Cloned, M = Unmarked> {
    // One pointer, since each call clones the policy.
    pub(crate) settings: Arc<Settings<C, B, G, R, M>>,
    call: Call<B::Delays, G::Permit>,
}

/// What belongs to one call.
struct Call<D, T> {
    course: Course,
    /// Begun when the first attempt has failed.
    delays: Option<D>,
    /// Held for the retry that was last decided on, until it is answered.
    permit: Option<T>,
}

impl<C, B: Backoff> StandardPolicy<C, B> {
    /// A policy with a budget of its own, a [`RatioBudget`].
    ///
    /// The classifier is a `Fn(&Req, Result<&Response, &Error>) -> Verdict`. It sees the request as
    /// it was kept for another attempt.
    #[must_use]
    pub fn new(classify: C, backoff: B) -> Self {
        Self::with(Settings {
            rules: Rules {
                attempts: 4,
                longest_hint: Duration::from_secs(30),
            },
            classify,
            backoff,
            budget: RatioBudget::default(),
            replay: Cloned,
            mark: Unmarked,
            counters: Arc::default(),
        })
    }
}

impl<C, B: Backoff, G: Budget, R, M> StandardPolicy<C, B, G, R, M> {
    pub(crate) fn with(settings: Settings<C, B, G, R, M>) -> Self {
        Self {
            settings: Arc::new(settings),
            call: Call::default(),
        }
    }

    /// What all calls of this policy and its clones add up to, and of those made of it by setters.
    #[must_use]
    pub fn stats(&self) -> RetryStats {
        self.settings.counters.stats()
    }

    /// Why the call of this clone has no further attempt; `None` while that is open.
    ///
    /// For observers: see [`RetryLayer::observer`](crate::RetryLayer::observer).
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.call.course.reason()
    }

    pub(crate) fn mark(&self) -> &M {
        &self.settings.mark
    }

    /// Decides on another attempt, and lets the budget agree last: it gives nothing for naught.
    fn step<Req>(&mut self, req: &Req, verdict: Verdict) -> Result<Step, Reason>
    where
        R: Replay<Req>,
        M: Mark<Req>,
    {
        let Call { course, delays, .. } = &mut self.call;
        let deadline = self.settings.mark.read(req).deadline();
        let next = || {
            delays
                .get_or_insert_with(|| self.settings.backoff.delays())
                .next()
        };
        let step = course.decide(self.settings.rules, verdict, Instant::now(), deadline, next)?;
        if !self.settings.replay.can_resend(req) {
            return Err(Reason::Unreplayable);
        }
        let permit = if step.paid {
            Some(self.settings.budget.withdraw().ok_or(Reason::Budget)?)
        } else {
            None
        };
        if !self.settings.replay.resend(req) {
            return Err(Reason::Unreplayable);
        }
        self.call.permit = permit;
        Ok(step)
    }

    fn stop(&mut self, reason: Reason) {
        let attempts = self.call.course.sent();
        self.call.course.close(reason);
        match reason {
            Reason::Returned => return,
            Reason::Budget => self.settings.counters.budget_refusals.add(),
            Reason::Deadline => self.settings.counters.deadlines.add(),
            Reason::Attempts
            | Reason::Hint
            | Reason::Backoff
            | Reason::Unreplayable
            | Reason::Nested => {}
        }
        debug!(attempts, ?reason, "not retried");
    }

    /// Counts an attempt that is about to be sent; says whether it is the first of its call.
    fn send(&mut self) -> bool {
        let first = self.call.course.send();
        if first {
            self.call.delays = None;
            self.call.permit = None;
            self.settings.counters.calls.add();
        } else {
            self.settings.counters.retries.add();
            match &mut self.call.permit {
                Some(permit) => self.settings.budget.sent(permit),
                None => self.settings.counters.unsent.add(),
            }
        }
        first
    }
}

impl<Req, Res, E, C, B, G, R, M> Policy<Req, Res, E> for StandardPolicy<C, B, G, R, M>
where
    C: Fn(&Req, Result<&Res, &E>) -> Verdict,
    B: Backoff,
    G: Budget,
    R: Replay<Req>,
    M: Mark<Req>,
{
    type Future = Wait;

    fn retry(&mut self, req: &mut Req, result: &mut Result<Res, E>) -> Option<Wait> {
        // The attempt is over, and so is what it held of the budget.
        self.call.permit = None;
        let verdict = (self.settings.classify)(req, result.as_ref());
        match verdict {
            // Ahead of all else: the usual case reads no clock.
            Verdict::Return => {
                if result.is_ok() {
                    self.settings.budget.answered(false);
                }
                self.stop(Reason::Returned);
                return None;
            }
            Verdict::RetryUnsent => {}
            Verdict::Retry => self.settings.budget.answered(true),
            Verdict::RetryAfter(_) => {
                self.settings.counters.hints.add();
                self.settings.budget.answered(true);
            }
        }
        match self.step(req, verdict) {
            Ok(step) => {
                self.call.course.follow(step);
                let attempt = self.call.course.sent() + 1;
                let mark = self.settings.mark.read(req).with_number(attempt);
                self.settings.mark.write(req, mark);
                debug!(attempt, ?verdict, wait = ?step.wait, "retrying");
                Some(Wait::new(step.wait))
            }
            Err(reason) => {
                self.stop(reason);
                None
            }
        }
    }

    fn clone_request(&mut self, req: &Req) -> Option<Req> {
        if self.send() {
            if self.settings.mark.read(req).number().is_some() {
                self.stop(Reason::Nested);
                return None;
            }
            self.settings.budget.deposit();
        }
        let last = self.call.course.sent() >= self.settings.rules.attempts;
        if last && (self.settings.rules.attempts == 1 || !self.settings.budget.observes()) {
            self.call.course.close(Reason::Attempts);
            return None;
        }
        let saved = self.settings.replay.save(req);
        if saved.is_none() {
            self.call.course.close(Reason::Unreplayable);
        }
        saved
    }
}

impl<C, B: Backoff, G: Budget, R, M> Clone for StandardPolicy<C, B, G, R, M> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            call: Call::default(),
        }
    }
}

impl<C, B: Backoff, G: Budget, R, M> fmt::Debug for StandardPolicy<C, B, G, R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandardPolicy")
            .field("rules", &self.settings.rules)
            .field("stats", &self.stats())
            .field("course", &self.call.course)
            .finish_non_exhaustive()
    }
}

impl<D, T> Default for Call<D, T> {
    fn default() -> Self {
        Self {
            course: Course::default(),
            delays: None,
            permit: None,
        }
    }
}

//! What one call has come to, and what follows: all of a policy's decisions but the budget's.

use std::time::Duration;

use tokio::time::Instant;

use crate::reason::Reason;
use crate::verdict::Verdict;

/// What holds for every call of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// At least 1.
    pub(crate) attempts: u32,
    pub(crate) longest_hint: Duration,
}

/// One call so far.
#[derive(Debug, Default)]
pub(crate) struct Course {
    sent: u32,
    /// Whether an attempt was repeated at once since it had never reached the application.
    repeated: bool,
    /// Whether the next request to be saved is that of a retry.
    retrying: bool,
    reason: Option<Reason>,
}

/// The attempt that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) wait: Duration,
    /// Whether the budget must agree.
    pub(crate) paid: bool,
}

impl Course {
    /// Counts an attempt that is about to be sent; says whether it is the first one.
    ///
    /// A request that no retry was decided for begins a call of its own: tower's `Retry` shows the
    /// first attempts of all calls to the same policy.
    pub(crate) fn send(&mut self) -> bool {
        let first = !self.retrying;
        if first {
            *self = Self::default();
        }
        self.sent += 1;
        self.retrying = false;
        first
    }

    /// Notes that nothing follows the attempt that is about to be sent.
    pub(crate) fn close(&mut self, reason: Reason) {
        self.reason = Some(reason);
    }

    /// Decides what follows the outcome of an attempt; `delays` is asked at most once.
    ///
    /// # Errors
    ///
    /// Says why nothing does.
    pub(crate) fn decide(
        &mut self,
        rules: Rules,
        verdict: Verdict,
        now: Instant,
        deadline: Option<Instant>,
        delays: impl FnOnce() -> Option<Duration>,
    ) -> Result<Step, Reason> {
        // A clone of a policy has not seen the first attempt, which has been made all the same.
        self.sent = self.sent.max(1);
        let step = match verdict {
            Verdict::Return => return Err(Reason::Returned),
            _ if self.sent >= rules.attempts => return Err(Reason::Attempts),
            Verdict::RetryAfter(hint) if hint > rules.longest_hint => return Err(Reason::Hint),
            Verdict::RetryAfter(hint) => {
                let delay = delays().ok_or(Reason::Backoff)?;
                Step::paid(hint.saturating_add(delay))
            }
            Verdict::Retry => Step::paid(delays().ok_or(Reason::Backoff)?),
            Verdict::RetryUnsent if self.repeated => Step::free(delays().ok_or(Reason::Backoff)?),
            Verdict::RetryUnsent => Step::free(Duration::ZERO),
        };
        // One that ends just at the deadline would leave no time for the attempt.
        let late = |at: Instant| at.saturating_duration_since(now) <= step.wait;
        if deadline.is_some_and(late) {
            return Err(Reason::Deadline);
        }
        Ok(step)
    }

    /// Notes that the attempt that was decided on will be made.
    pub(crate) fn follow(&mut self, step: Step) {
        self.repeated |= !step.paid;
        self.retrying = true;
    }

    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason
    }
}

impl Step {
    fn paid(wait: Duration) -> Self {
        Self { wait, paid: true }
    }

    fn free(wait: Duration) -> Self {
        Self { wait, paid: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RULES: Rules = Rules {
        attempts: 3,
        longest_hint: SECOND,
    };

    /// Decides with a delay of one second and no deadline.
    fn decide(course: &mut Course, verdict: Verdict) -> Result<Step, Reason> {
        let decided = course.decide(RULES, verdict, Instant::now(), None, || Some(SECOND));
        if let Ok(step) = decided {
            course.follow(step);
        }
        decided
    }

    #[test]
    fn a_call_ends_after_as_many_attempts_as_are_allowed() {
        let mut course = Course::default();

        assert!(course.send());
        assert_eq!(decide(&mut course, Verdict::Retry), Ok(Step::paid(SECOND)));
        assert!(!course.send());
        assert_eq!(decide(&mut course, Verdict::Retry), Ok(Step::paid(SECOND)));
        assert!(!course.send());
        assert_eq!(course.sent(), 3);
        assert_eq!(decide(&mut course, Verdict::Retry), Err(Reason::Attempts));
    }

    #[test]
    fn unsent_attempts_count_too() {
        let mut course = Course::default();

        for _ in 0..2 {
            course.send();
            decide(&mut course, Verdict::RetryUnsent).unwrap();
        }
        course.send();

        let decided = decide(&mut course, Verdict::RetryUnsent);
        assert_eq!(decided, Err(Reason::Attempts));
    }

    #[test]
    fn only_the_first_unsent_attempt_is_repeated_at_once() {
        let mut course = Course::default();
        course.send();

        let first = decide(&mut course, Verdict::RetryUnsent);
        course.send();
        let second = decide(&mut course, Verdict::RetryUnsent);

        assert_eq!(first, Ok(Step::free(Duration::ZERO)));
        assert_eq!(second, Ok(Step::free(SECOND)));
    }

    #[test]
    fn a_request_without_a_decision_begins_a_call() {
        let mut course = Course::default();

        course.send();

        assert!(course.send());
        assert_eq!(course.sent(), 1);
    }

    #[test]
    fn a_clone_that_has_not_seen_the_first_attempt_counts_it() {
        let mut course = Course::default();

        decide(&mut course, Verdict::Retry).unwrap();
        course.send();

        assert_eq!(course.sent(), 2);
    }

    #[test]
    fn a_hint_is_waited_for_before_the_backoff() {
        let mut course = Course::default();

        let decided = decide(&mut course, Verdict::RetryAfter(SECOND));

        assert_eq!(decided, Ok(Step::paid(2 * SECOND)));
    }

    #[test]
    fn a_hint_beyond_the_longest_ends_the_call() {
        for hint in [SECOND + Duration::from_nanos(1), Duration::MAX] {
            let decided = decide(&mut Course::default(), Verdict::RetryAfter(hint));

            assert_eq!(decided, Err(Reason::Hint));
        }
    }

    #[test]
    fn the_end_of_the_delays_ends_the_call() {
        let mut course = Course::default();

        let decided = course.decide(RULES, Verdict::Retry, Instant::now(), None, || None);

        assert_eq!(decided, Err(Reason::Backoff));
    }

    #[test]
    fn no_wait_reaches_the_deadline() {
        let now = Instant::now();
        let decide = |verdict, deadline| {
            let mut course = Course::default();
            course.decide(RULES, verdict, now, Some(deadline), || Some(SECOND))
        };

        let nanosecond = Duration::from_nanos(1);
        assert_eq!(decide(Verdict::Retry, now + SECOND), Err(Reason::Deadline));
        assert!(decide(Verdict::Retry, now + SECOND + nanosecond).is_ok());
        assert_eq!(decide(Verdict::RetryUnsent, now), Err(Reason::Deadline));
        assert!(decide(Verdict::RetryUnsent, now + nanosecond).is_ok());
        let hint = Verdict::RetryAfter(SECOND);
        assert_eq!(decide(hint, now + SECOND + SECOND), Err(Reason::Deadline));
    }

    #[test]
    fn endless_delays_neither_overflow_nor_pass_a_deadline() {
        let now = Instant::now();
        let deadline = Some(now + SECOND);
        let hint = Verdict::RetryAfter(SECOND);
        let endless = || Some(Duration::MAX);

        let mut course = Course::default();
        let bounded = course.decide(RULES, hint, now, deadline, endless);
        let free = course.decide(RULES, hint, now, None, endless);

        assert_eq!(bounded, Err(Reason::Deadline));
        assert_eq!(free, Ok(Step::paid(Duration::MAX)));
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![
            Just(Verdict::Return),
            Just(Verdict::Retry),
            Just(Verdict::RetryUnsent),
            any::<Duration>().prop_map(Verdict::RetryAfter),
            (0..1_000_000_000_u64)
                .prop_map(|nanos| { Verdict::RetryAfter(Duration::from_nanos(nanos)) }),
        ]
    }

    proptest! {
        #[test]
        fn attempts_and_waits_stay_within_their_limits(
            attempts in 1..6_u32,
            verdicts in prop::collection::vec(verdict(), 10),
            delays in prop::collection::vec(0..2_000_000_000_u64, 0..10),
            limit in 0..5_000_000_000_u64,
        ) {
            let rules = Rules { attempts, ..RULES };
            let began = Instant::now();
            let deadline = began + Duration::from_nanos(limit);
            let mut delays = delays.into_iter().map(Duration::from_nanos);
            let mut course = Course::default();
            let mut now = began;

            for verdict in verdicts {
                course.send();
                let next = || delays.next();
                let Ok(step) = course.decide(rules, verdict, now, Some(deadline), next) else {
                    break;
                };
                course.follow(step);
                now += step.wait;
                prop_assert!(now < deadline);
            }

            prop_assert!(course.sent() <= attempts);
        }
    }
}

//! Failures in a row, and the rests that follow.

use crate::clock::Nanos;

/// A backend has failed, and has not answered since. It rests; then one call is let through, for
/// which it rests again, four times as long, until that call has succeeded: the backend is found
/// again soon after it is back, and who is still down costs little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streak {
    /// How often it has failed; 0 if the last call succeeded.
    pub(crate) failures: u32,
    /// When the streak began.
    pub(crate) since: u64,
    /// The last rest, in nanoseconds.
    pub(crate) rest: u64,
    /// When it ends; 0 if there is none.
    pub(crate) until: u64,
    /// The rest before the last call that was let through, if that has not failed.
    before: u64,
}

impl Streak {
    /// A call has failed after so long. `longest` is the longest rest; with 0, there is none. One
    /// that began before `heard`, as others have that succeeded, says nothing new.
    pub(crate) fn failure(&mut self, longest: u64, took: u64, heard: Nanos, now: Nanos) {
        if now.0.saturating_sub(took) < heard.0 {
            return;
        }
        if self.failures == 0 {
            self.since = now.0;
            self.rest = longest / FIRST;
        }
        self.failures = self.failures.saturating_add(1);
        // Whoever has waited long for a failure is not to do so again soon.
        self.rest = self.rest.max(took.saturating_mul(MORE)).min(longest);
        self.before = self.rest;
        self.rest(now);
    }

    /// A call begins in spite of the streak: it is a failure until it has succeeded.
    pub(crate) fn call(&mut self, longest: u64, now: Nanos) {
        self.before = self.rest;
        self.rest = self.rest.saturating_mul(MORE).min(longest);
        self.rest(now);
    }

    /// The call that was let through has told nothing: it rests as before that.
    pub(crate) fn untold(&mut self, began: Nanos, now: Nanos) {
        if self.failures > 0 && began.0 >= self.since {
            self.rest = self.before;
            self.until = self.until.min(now.0.saturating_add(self.rest));
        }
    }

    /// It was not ready, and is to be asked again then: that costs no call. Who has failed, and is
    /// not ready after that, is down.
    pub(crate) fn busy(&mut self, longest: u64, until: Nanos) {
        if self.until != 0 {
            self.rest = self.rest.max(longest / LONG);
            self.until = self.until.max(until.0);
        }
    }

    /// Whether a success ends the streak: a call that was under way when it began says nothing new.
    pub(crate) fn is_ended_by(&self, began: Nanos) -> bool {
        self.failures > 0 && began.0 >= self.since
    }

    /// Whether it is more than what happens now and then: several failures, or a long rest.
    pub(crate) fn is_outage(&self, longest: u64) -> bool {
        self.failures >= SEVERAL || (self.rest > 0 && self.rest >= longest / LONG)
    }

    /// Whether it is over with the rest, and the next call tells.
    pub(crate) fn is_due(&self, now: Nanos) -> bool {
        self.until != 0 && self.until <= now.0
    }

    fn rest(&mut self, now: Nanos) {
        if self.rest > 0 {
            self.until = self.until.max(now.0.saturating_add(self.rest));
        }
    }
}

/// So many failures in a row are an event, and the success after them.
pub(crate) const SEVERAL: u32 = 3;
/// What part of the longest rest is a long one: the third or so.
const LONG: u64 = 32;
/// What part of the longest rest the first one is.
const FIRST: u64 = 256;
/// How many times longer each rest is than the one before, and than the failure took.
const MORE: u64 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MILLISECOND;
    const LONGEST: u64 = 4 * SECOND;
    const NOW: Nanos = Nanos(10 * SECOND);
    const NEVER: Nanos = Nanos(0);

    /// When the calls begin to one that fails after `took`, each as soon as it may; in seconds.
    fn calls(took: u64, span: u64) -> Vec<f64> {
        let mut streak = Streak::default();
        let (mut now, mut calls) = (NOW.0, Vec::new());
        while now < NOW.0 + span {
            calls.push((now - NOW.0) as f64 / SECOND as f64);
            if streak.failures > 0 {
                streak.call(LONGEST, Nanos(now));
            }
            streak.failure(LONGEST, took, NEVER, Nanos(now + took));
            now = streak.until;
        }
        calls
    }

    #[test]
    fn one_that_fails_at_once_costs_five_calls_and_then_one_in_four_seconds() {
        let calls = calls(0, 30 * SECOND);

        let early = calls.iter().filter(|at| **at < 4.0).count();
        assert_eq!(early, 5, "{calls:?}");
        assert_eq!(calls.len(), 12, "{calls:?}");
    }

    #[test]
    fn one_that_takes_long_to_fail_rests_long_at_once() {
        let calls = calls(SECOND, 30 * SECOND);

        assert_eq!(calls, [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
    }

    #[test]
    fn calls_that_fail_together_are_one_reason_to_rest() {
        let mut streak = Streak::default();

        for _ in 0..100 {
            streak.failure(LONGEST, MILLISECOND, NEVER, NOW);
        }

        assert_eq!(streak.until, NOW.0 + LONGEST / 256);
    }

    /// It hangs, and is given no call each few milliseconds meanwhile.
    #[test]
    fn calls_without_an_answer_make_rests_longer() {
        let mut streak = Streak::default();
        streak.failure(LONGEST, 0, NEVER, NOW);

        let mut rests = Vec::new();
        for _ in 0..6 {
            let now = streak.until;
            assert!(streak.is_due(Nanos(now)) && !streak.is_due(Nanos(now - 1)));
            streak.call(LONGEST, Nanos(now));
            rests.push((streak.until - now) / (MILLISECOND / 2));
        }

        assert_eq!(rests, [125, 500, 2000, 8000, 8000, 8000]);
    }

    #[test]
    fn a_call_that_tells_nothing_does_not_make_the_rest_longer() {
        let mut streak = Streak::default();
        streak.failure(LONGEST, 0, NEVER, NOW);
        let first = streak.rest;

        for _ in 0..10 {
            let now = Nanos(streak.until);
            streak.call(LONGEST, now);
            streak.untold(now, Nanos(now.0 + MILLISECOND));
            // Nor is it tried sooner than that.
            assert_eq!(streak.until, now.0 + MILLISECOND + first);
        }

        streak.call(LONGEST, Nanos(streak.until));
        let after = streak;
        streak.untold(Nanos(NOW.0 - 1), NOW);
        assert_eq!(streak, after, "it was under way before");
        streak.failure(LONGEST, 0, NEVER, NOW);
        streak.untold(NOW, NOW);
        assert_eq!(streak.rest, after.rest, "it has failed");
    }

    #[test]
    fn a_call_that_was_under_way_does_not_end_it() {
        let mut streak = Streak::default();
        assert!(!streak.is_ended_by(NOW), "there is none");

        streak.failure(LONGEST, 0, NEVER, NOW);

        assert!(!streak.is_ended_by(Nanos(NOW.0 - 1)));
        assert!(streak.is_ended_by(Nanos(NOW.0)));
    }

    /// The call has begun as the streak ended.
    #[test]
    fn without_failures_nobody_rests() {
        let mut streak = Streak::default();

        streak.call(LONGEST, NOW);
        streak.busy(LONGEST, NOW);

        assert_eq!(streak, Streak::default());
    }

    #[test]
    fn who_is_not_ready_is_asked_again_soon() {
        let mut streak = Streak::default();
        streak.busy(LONGEST, Nanos(2 * NOW.0));
        assert_eq!(streak, Streak::default(), "nobody is left alone for that");
        streak.failure(LONGEST, 0, NEVER, NOW);
        let due = Nanos(streak.until);

        assert!(!streak.is_outage(LONGEST));
        streak.busy(LONGEST, Nanos(due.0 + 100 * MILLISECOND));

        assert_eq!(streak.until, due.0 + 100 * MILLISECOND);
        assert!(streak.is_outage(LONGEST));
    }

    /// It stalls, is back, and then the calls time out that it has swallowed.
    #[test]
    fn a_failure_of_a_call_that_began_before_others_that_succeeded_says_nothing() {
        let mut streak = Streak::default();

        streak.failure(LONGEST, 10 * SECOND, Nanos(1), NOW);
        assert_eq!(streak, Streak::default());

        streak.failure(LONGEST, SECOND, Nanos(NOW.0 - SECOND), NOW);
        assert_eq!(streak.until, NOW.0 + LONGEST);
        let before = streak;
        streak.failure(LONGEST, SECOND, NOW, Nanos(NOW.0 + SECOND / 2));
        assert_eq!(streak, before);
    }

    #[test]
    fn several_failures_or_a_slow_one_are_an_outage_and_two_quick_ones_are_none() {
        let streak = |failures, took| {
            let mut streak = Streak::default();
            (0..failures).for_each(|_| streak.failure(LONGEST, took, NEVER, NOW));
            streak
        };

        assert!(!streak(0, 0).is_outage(LONGEST) && !streak(0, 0).is_outage(0));
        assert!(!streak(2, MILLISECOND).is_outage(LONGEST));
        assert!(streak(3, MILLISECOND).is_outage(LONGEST) && streak(3, 0).is_outage(0));
        assert!(streak(1, SECOND).is_outage(LONGEST));
    }

    #[test]
    fn without_rests_it_is_always_let_through() {
        let mut streak = Streak::default();

        for _ in 0..100 {
            streak.failure(0, SECOND, NEVER, NOW);
            streak.call(0, NOW);
        }

        assert_eq!((streak.failures, streak.until), (100, 0));
    }

    proptest! {
        #[test]
        fn no_rest_is_longer_than_the_longest(
            longest in any::<u64>(),
            events in prop::collection::vec((any::<bool>(), any::<u64>(), any::<u64>()), 1..50),
        ) {
            let mut streak = Streak::default();
            let mut latest = 0;
            for (begins, took, now) in events {
                latest = latest.max(now);
                if begins && streak.failures > 0 {
                    streak.call(longest, Nanos(now));
                } else {
                    streak.failure(longest, took, NEVER, Nanos(now));
                }

                prop_assert!(streak.rest <= longest);
                prop_assert!(streak.until <= latest.saturating_add(longest));
            }
        }
    }
}

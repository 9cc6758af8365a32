//! What is thought of one backend: how long it takes to answer, and how often it fails.

use std::f64::consts::LN_2;
use std::time::Duration;

use crate::clock::{Nanos, nanos};
use crate::level::Level;

/// How fast what was measured wears off: to a half after 0.7 of the given time, to a third after
/// all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decay {
    /// Halvings in a nanosecond.
    rate: f64,
}

impl Decay {
    /// `decay` is not zero.
    pub(crate) fn new(decay: Duration) -> Self {
        Self {
            rate: 1.0 / (nanos(decay) as f64 * LN_2),
        }
    }

    /// The level of `latency` nanoseconds that are measured now.
    #[inline]
    pub(crate) fn level(self, latency: f64, now: Nanos) -> Level {
        Level::of(latency).plus(Level::of_log2(self.halvings(now.0)))
    }

    /// The nanoseconds that a level stands for now.
    pub(crate) fn latency(self, level: Level, now: Nanos) -> f64 {
        (level.log2() - self.halvings(now.0)).exp2()
    }

    #[inline]
    pub(crate) fn halvings(self, elapsed: u64) -> f64 {
        self.rate * elapsed as f64
    }

    /// The share that is left.
    #[inline]
    fn left(self, elapsed: u64) -> f64 {
        let x = self.halvings(elapsed) * LN_2;
        if x < 1e-3 {
            // Most often; good to ten digits.
            return 1.0 - x + x * x / 2.0;
        }
        (-x).exp()
    }
}

/// A peak-sensitive moving average: it rises at once, and falls by and by.
///
/// Failures are no latency. They are counted as a share of the calls that wears off, too: one among
/// a thousand successes costs next to nothing, one of four everything. What follows several in a
/// row is a [`Streak`](crate::streak::Streak)'s.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PeakEwma {
    /// In nanoseconds, when it was last changed; 0 if it is not known yet.
    pub(crate) latency: f64,
    /// The share of failures, from 0 to 1, when it was last changed.
    pub(crate) failing: f64,
    /// When it was last changed.
    pub(crate) changed: u64,
}

impl PeakEwma {
    pub(crate) fn success(&mut self, decay: Decay, took: u64, now: Nanos) {
        let peak = self.latency;
        let left = self.advance(decay, now);
        let took = (took as f64).max(1.0);
        self.latency = if took >= peak {
            took
        } else {
            self.latency + took * (1.0 - left)
        };
        self.sound();
    }

    /// A call has succeeded, after some time.
    pub(crate) fn sound(&mut self) {
        self.failing -= self.failing * WEIGHT;
        if self.failing < NEGLIGIBLE {
            self.failing = 0.0;
        }
    }

    pub(crate) fn failure(&mut self, decay: Decay, now: Nanos) {
        self.advance(decay, now);
        self.failing += (1.0 - self.failing) * WEIGHT;
    }

    /// It is as good as new: so many failures are not held against it any more, nor what it took
    /// before them.
    pub(crate) fn forget(&mut self, decay: Decay, failures: u32, now: Nanos) {
        self.advance(decay, now);
        self.latency = 0.0;
        self.failing = (self.failing - f64::from(failures) * WEIGHT).max(0.0);
    }

    /// Given up after so long: it would have taken longer at least, and says nothing if more is
    /// expected. Says whether it does.
    pub(crate) fn cancelled(&mut self, decay: Decay, after: u64, now: Nanos) -> bool {
        let after = after as f64;
        let left = decay.left(now.0.saturating_sub(self.changed));
        // What is not known yet is not made better than it is taken for.
        let slower = self.latency > 0.0 && after > self.latency * left;
        if slower {
            self.advance(decay, now);
            self.latency = after;
        }
        slower
    }

    /// How much dearer than a backend that does not fail: a logarithm to the base 2, 0 to 8.
    pub(crate) fn penalty(&self) -> f64 {
        if self.failing == 0.0 {
            return 0.0;
        }
        (1.0 + WORST * self.failing).log2()
    }

    /// The same, as far as it has not worn off.
    pub(crate) fn penalty_at(&self, decay: Decay, now: Nanos) -> f64 {
        let worn = decay.halvings(now.0.saturating_sub(self.changed));
        (self.penalty() - worn).max(0.0)
    }

    /// Whether it fails so much that others are at least eight times as good, by now.
    pub(crate) fn is_failing(&self, decay: Decay, now: Nanos) -> bool {
        self.penalty_at(decay, now) > 3.0
    }

    /// Lets everything wear off until now; gives the share that is left.
    fn advance(&mut self, decay: Decay, now: Nanos) -> f64 {
        let left = decay.left(now.0.saturating_sub(self.changed));
        self.latency *= left;
        self.failing *= left;
        self.changed = self.changed.max(now.0);
        left
    }
}

/// How much of the share of failures one call is.
const WEIGHT: f64 = 1.0 / 256.0;
/// A share of failures too small to cost anything.
const NEGLIGIBLE: f64 = 1e-6;
/// How many times dearer a backend is that only fails.
const WORST: f64 = 255.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MILLISECOND;

    fn decay() -> Decay {
        Decay::new(Duration::from_secs(10))
    }

    /// Answers in so many nanoseconds, one second after the start.
    fn answering(latency: u64) -> PeakEwma {
        let mut ewma = PeakEwma::default();
        ewma.success(decay(), latency, Nanos(SECOND));
        ewma
    }

    #[test]
    fn it_rises_at_once_and_falls_by_and_by() {
        let mut ewma = answering(10 * MILLISECOND);

        ewma.success(decay(), 100 * MILLISECOND, Nanos(SECOND));
        assert_eq!(ewma.latency, 100e6);
        ewma.success(decay(), 10 * MILLISECOND, Nanos(SECOND + MILLISECOND));
        assert!(ewma.latency > 99e6 && ewma.latency < 100e6);
        ewma.success(decay(), 10 * MILLISECOND, Nanos(11 * SECOND));
        assert!(ewma.latency < 45e6 && ewma.latency > 40e6, "{ewma:?}");
    }

    #[test]
    fn it_stays_where_it_is_if_nothing_changes() {
        let mut ewma = answering(10 * MILLISECOND);

        for n in 0..1000 {
            ewma.success(
                decay(),
                10 * MILLISECOND,
                Nanos(SECOND + n * 7 * MILLISECOND),
            );
        }

        assert!((ewma.latency - 10e6).abs() < 1.0, "{ewma:?}");
    }

    #[test]
    fn levels_compare_as_the_latencies_that_have_worn_off() {
        let early = decay().level(40e6, Nanos(SECOND));
        let late = decay().level(20e6, Nanos(11 * SECOND));

        // 40 ms are 14.7 ms ten seconds later.
        assert!(early < late);
        assert!((decay().latency(early, Nanos(11 * SECOND)) / 1e6 - 14.715).abs() < 0.01);
        assert!((decay().latency(late, Nanos(11 * SECOND)) / 1e6 - 20.0).abs() < 0.01);
    }

    #[test]
    fn one_failure_is_mild_and_one_of_four_is_all() {
        let mut ewma = answering(MILLISECOND);

        ewma.failure(decay(), Nanos(SECOND));
        assert!((ewma.penalty() - 1.0).abs() < 0.01, "twice as dear");
        for n in 0..1000 {
            ewma.failure(decay(), Nanos(SECOND));
            for _ in 0..3 {
                ewma.success(decay(), MILLISECOND, Nanos(SECOND + n));
            }
        }

        assert!(ewma.penalty() > 5.9, "{ewma:?}");
        assert_eq!(ewma.latency, 1e6, "a failure is no answer, fast or slow");
    }

    #[test]
    fn a_failure_among_many_successes_is_soon_forgotten() {
        let mut ewma = answering(MILLISECOND);

        ewma.failure(decay(), Nanos(SECOND));
        for n in 0..1000 {
            ewma.success(decay(), MILLISECOND, Nanos(SECOND + n * MILLISECOND));
        }

        assert!(ewma.penalty() < 0.05, "{}", ewma.penalty());
    }

    #[test]
    fn failures_wear_off_and_can_be_forgotten() {
        let mut ewma = answering(MILLISECOND);
        for _ in 0..20 {
            ewma.failure(decay(), Nanos(SECOND));
        }
        assert!(ewma.is_failing(decay(), Nanos(SECOND)));
        assert!(!ewma.is_failing(decay(), Nanos(20 * SECOND)));

        ewma.forget(decay(), 20, Nanos(SECOND));

        assert_eq!((ewma.penalty(), ewma.latency), (0.0, 0.0));
    }

    #[test]
    fn a_cancelled_call_says_nothing_unless_it_was_slow() {
        let mut ewma = answering(100 * MILLISECOND);
        let before = ewma;

        assert!(!ewma.cancelled(decay(), MILLISECOND, Nanos(2 * SECOND)));
        assert_eq!(ewma, before);
        assert!(ewma.cancelled(decay(), SECOND, Nanos(2 * SECOND)));
        assert_eq!(ewma.latency, 1e9);
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Success(u64),
        Failure(u64),
        Cancelled(u64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            any::<u64>().prop_map(Event::Success),
            any::<u64>().prop_map(Event::Failure),
            any::<u64>().prop_map(Event::Cancelled),
        ]
    }

    /// Any time, and those that one gets close to in fact.
    fn time() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..100 * SECOND, Just(0), Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn no_figure_is_ever_nan_or_infinite(
            halving in prop_oneof![Just(1), 1..u64::MAX],
            events in prop::collection::vec((event(), time()), 1..50),
        ) {
            let decay = Decay::new(Duration::from_nanos(halving));
            let mut ewma = PeakEwma::default();

            for (event, now) in events {
                let now = Nanos(now);
                match event {
                    Event::Success(took) => ewma.success(decay, took, now),
                    Event::Failure(failures) => {
                        ewma.failure(decay, now);
                        if failures % 2 == 0 {
                            ewma.forget(decay, failures as u32, now);
                        }
                    }
                    Event::Cancelled(after) => drop(ewma.cancelled(decay, after, now)),
                }

                prop_assert!(ewma.latency.is_finite() && ewma.latency >= 0.0, "{:?}", ewma);
                prop_assert!((0.0..=1.0).contains(&ewma.failing), "{:?}", ewma);
                prop_assert!((0.0..=8.01).contains(&ewma.penalty()));
                let level = decay.level(ewma.latency, now);
                prop_assert!(level > Level::UNKNOWN && level.plus(level) > Level::UNKNOWN);
                prop_assert!(!decay.latency(level, now).is_nan());
            }
        }

        #[test]
        fn a_cancelled_call_never_improves_what_is_thought(
            latency in 1..u64::MAX,
            failures in 0..5_u32,
            after in any::<u64>(),
            later in 0..100 * SECOND,
        ) {
            let mut ewma = answering(latency);
            for _ in 0..failures {
                ewma.failure(decay(), Nanos(SECOND));
            }
            let now = Nanos(SECOND + later);
            let before = ewma;

            ewma.cancelled(decay(), after, now);

            let left = decay().left(now.0 - before.changed);
            let since = decay().left(now.0 - ewma.changed);
            prop_assert!(ewma.latency * since >= before.latency * left * 0.999_999);
            prop_assert!(ewma.failing * since >= before.failing * left * 0.999_999);
        }
    }
}

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use crate::backoff::Backoff;
use crate::backoff::jitter::{Jitter, between};
use crate::backoff::seeds::Seeds;

/// Delays that grow by a factor up to a cap, spread at random.
///
/// `Exponential::default()` has a base of 1 s, a factor of 2, a cap of 30 s, and
/// [`Jitter::Full`]. The sequence does not end.
///
/// Each call draws from a generator of its own; clones that share a seed share the stream of
/// generators, so no two calls of theirs wait alike.
#[derive(Clone, Debug)]
pub struct Exponential {
    base: Duration,
    factor: f64,
    cap: Duration,
    jitter: Jitter,
    seeds: Option<Arc<Seeds>>,
}

impl Exponential {
    /// The delay before the first retry, before jitter. Default: 1 s.
    #[must_use]
    pub fn base(self, base: Duration) -> Self {
        Self { base, ..self }
    }

    /// What each delay is longer than the one before by. Default: 2.
    ///
    /// # Panics
    ///
    /// If it is not finite, or less than 1.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        assert!(
            factor.is_finite() && factor >= 1.0,
            "the factor is at least 1"
        );
        Self { factor, ..self }
    }

    /// The longest delay. Default: 30 s.
    #[must_use]
    pub fn cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// How delays are spread. Default: [`Jitter::Full`].
    #[must_use]
    pub fn jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// Makes the delays repeatable: calls one after the other wait alike in every run, and still
    /// each one differently. Default: at random.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        let seeds = Some(Arc::new(Seeds::new(seed)));
        Self { seeds, ..self }
    }
}

impl Default for Exponential {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            factor: 2.0,
            cap: Duration::from_secs(30),
            jitter: Jitter::default(),
            seeds: None,
        }
    }
}

impl Backoff for Exponential {
    type Delays = ExponentialDelays;

    fn delays(&self) -> ExponentialDelays {
        ExponentialDelays {
            base: self.base.min(self.cap),
            factor: self.factor,
            cap: self.cap,
            jitter: self.jitter,
            next: self.base.min(self.cap),
            rng: self
                .seeds
                .as_ref()
                .map_or_else(Rng::new, |seeds| seeds.rng()),
        }
    }
}

/// The delays of one call of an [`Exponential`].
#[derive(Debug)]
pub struct ExponentialDelays {
    base: Duration,
    factor: f64,
    cap: Duration,
    jitter: Jitter,
    /// The next delay before jitter; with [`Jitter::Decorrelated`], the last one drawn.
    next: Duration,
    rng: Rng,
}

impl ExponentialDelays {
    fn grown(&self, factor: f64) -> Duration {
        // The smaller one is chosen before it is a `Duration`, which would overflow.
        let grown = self.next.as_secs_f64() * factor;
        if grown < self.cap.as_secs_f64() {
            Duration::from_secs_f64(grown)
        } else {
            self.cap
        }
    }
}

impl Iterator for ExponentialDelays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.jitter == Jitter::Decorrelated {
            self.next = between(self.base, self.grown(3.0), &mut self.rng);
            return Some(self.next);
        }
        let delay = self.next;
        self.next = self.grown(self.factor);
        Some(match self.jitter {
            Jitter::Full => between(Duration::ZERO, delay, &mut self.rng),
            Jitter::Equal => between(delay / 2, delay, &mut self.rng),
            Jitter::None | Jitter::Decorrelated => delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn take(backoff: &Exponential, count: usize) -> Vec<Duration> {
        backoff.delays().take(count).collect()
    }

    #[test]
    fn delays_double_from_one_second_to_thirty() {
        let backoff = Exponential::default().jitter(Jitter::None);

        let delays = take(&backoff, 7);

        let expected = [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs);
        assert_eq!(delays, expected);
    }

    #[test]
    fn full_jitter_is_the_default_and_stays_below_the_delay() {
        for _ in 0..100 {
            let delays = take(&Exponential::default(), 6);

            for (delay, limit) in delays.iter().zip([1, 2, 4, 8, 16, 30]) {
                assert!(*delay < limit * SECOND, "{delays:?}");
            }
        }
        let least = (0..200).map(|_| take(&Exponential::default(), 1)[0]).min();
        assert!(least < Some(SECOND / 10), "{least:?}");
    }

    #[test]
    fn equal_jitter_keeps_half_of_the_delay() {
        let backoff = Exponential::default().jitter(Jitter::Equal);

        for _ in 0..100 {
            let delays = take(&backoff, 3);

            for (delay, limit) in delays.iter().zip([1, 2, 4]) {
                let limit = limit * SECOND;
                assert!((limit / 2..limit).contains(delay), "{delays:?}");
            }
        }
    }

    #[test]
    fn decorrelated_jitter_follows_the_delay_before() {
        let backoff = Exponential::default().jitter(Jitter::Decorrelated);

        for _ in 0..100 {
            let delays = take(&backoff, 20);

            let mut before = SECOND;
            for delay in delays {
                let limit = (before * 3).min(30 * SECOND);
                assert!((SECOND..=limit).contains(&delay), "{before:?} {delay:?}");
                before = delay;
            }
        }
        let longest = (0..100).flat_map(|_| take(&backoff, 20)).max();
        assert!(longest > Some(20 * SECOND), "{longest:?}");
    }

    #[test]
    fn a_seed_repeats_the_whole_and_no_call() {
        let calls = || {
            let backoff = Exponential::default().seed(7);
            let clone = backoff.clone();
            [take(&backoff, 3), take(&clone, 3), take(&backoff, 3)]
        };

        let [first, second, third] = calls();

        assert_ne!(first, second);
        assert_ne!(first, third);
        assert_ne!(second, third);
        assert_eq!(calls(), [first, second, third]);
    }

    #[test]
    #[should_panic(expected = "at least 1")]
    fn a_factor_below_one_is_refused() {
        let _ = Exponential::default().factor(0.9);
    }

    proptest! {
        #[test]
        fn delays_neither_overflow_nor_exceed_the_cap(
            base in any::<Duration>(),
            factor in 1.0..f64::MAX,
            cap in any::<Duration>(),
            jitter in 0..4,
        ) {
            let jitter = [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Decorrelated]
                [jitter as usize];
            let backoff = Exponential::default().base(base).factor(factor).cap(cap).jitter(jitter);

            for delay in take(&backoff, 20) {
                prop_assert!(delay <= cap);
            }
        }
    }
}

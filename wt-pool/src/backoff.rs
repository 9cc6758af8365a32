use std::time::Duration;

/// The pool's own pace: each delay is between half of its base and all of it, and the base doubles.
#[derive(Clone, Debug)]
pub(crate) struct Exponential {
    base: Duration,
}

impl Default for Exponential {
    fn default() -> Self {
        Self { base: FIRST }
    }
}

impl Iterator for Exponential {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let base = self.base;
        self.base = (base * 2).min(LONGEST);
        Some(base.mul_f64(1.0 - fastrand::f64() / 2.0))
    }
}

const FIRST: Duration = Duration::from_millis(50);
/// The longest pause, and that of a sequence that has none.
pub(crate) const LONGEST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let bases = [50, 100, 200, 400, 500, 500];

        for (delay, base) in Exponential::default().zip(bases) {
            let base = Duration::from_millis(base);
            assert!((base / 2..=base).contains(&delay), "{delay:?} of {base:?}");
        }
    }

    #[test]
    fn no_two_sequences_are_alike() {
        let delays = || Exponential::default().take(8).collect::<Vec<_>>();

        assert_ne!(delays(), delays());
    }
}

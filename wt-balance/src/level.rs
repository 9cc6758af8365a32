//! Logarithms in whole numbers.

use crate::clock::Nanos;

/// A latency and when it was measured, in one number: the logarithm of its nanoseconds to the base
/// 2, plus the halvings that had gone by until then, in parts of [`Level::ONE`].
///
/// All levels wear off alike, so two of them compare at any time as they stand: who reads them
/// needs no clock, and there is nothing to compute that could overflow, or be no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(pub(crate) i64);

impl Level {
    /// A factor of two.
    pub(crate) const ONE: i64 = 1 << 20;
    /// Below all that are known.
    pub(crate) const UNKNOWN: Self = Self(i64::MIN);
    /// Of one that is to be tried once: just above that.
    pub(crate) const DUE: Self = Self(i64::MIN + 1);
    /// Above all that are known.
    pub(crate) const WORST: Self = Self(i64::MAX);
    const LIMIT: i64 = 1 << 59;

    /// Of a number, right to five digits; of 1, if it is less.
    #[inline]
    pub(crate) fn of(number: f64) -> Self {
        let bits = number.max(1.0).to_bits();
        // From 0, as the number is 1 at least.
        let whole = (bits >> 52) as i64 - 1023;
        let place = (bits >> (52 - STEPS_LOG)) as usize % STEPS;
        // In parts of 2^-32 of a step, between two entries.
        let between = (bits >> (52 - STEPS_LOG - 32)) as i64 & 0xffff_ffff;
        let (low, high) = (FRACTIONS[place], FRACTIONS[place + 1]);
        Self((whole << 20) + low + (((high - low) * between) >> 32))
    }

    /// Of a logarithm to the base 2.
    #[inline]
    pub(crate) fn of_log2(log: f64) -> Self {
        // As a cast does: what is too much is the most, what is no number is 0.
        let level = (log * Self::ONE as f64) as i64;
        Self(level.clamp(-Self::LIMIT, Self::LIMIT))
    }

    pub(crate) fn log2(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }

    /// The same, higher by another. Levels are far from the limits of their numbers.
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Of one that rests, and was tried last then: above all that do not, and the earlier the
    /// lower.
    pub(crate) fn resting(tried: Nanos) -> Self {
        Self(2 * Self::LIMIT + (tried.0 >> 4) as i64)
    }

    /// The same, to half a factor of two: less than that is chance, most often.
    #[inline]
    pub(crate) fn roughly(self) -> Self {
        Self(self.0 & !(Self::ONE / 2 - 1))
    }

    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

/// The logarithm of a count; of 1, if it is 0.
#[inline]
pub(crate) fn log2(n: u32) -> Level {
    match COUNTS.get(n as usize) {
        Some(log) => *log,
        None => Level::of(f64::from(n)),
    }
}

static COUNTS: [Level; 256] = counts();

const fn counts() -> [Level; 256] {
    let mut logs = [Level(0); 256];
    let mut n = 1;
    while n < logs.len() {
        logs[n] = Level(const_log2(n as f64));
        n += 1;
    }
    logs
}

/// Of 1 to 2, in so many steps.
const STEPS: usize = 1 << STEPS_LOG;
const STEPS_LOG: u32 = 7;

static FRACTIONS: [i64; STEPS + 1] = fractions();

const fn fractions() -> [i64; STEPS + 1] {
    let mut logs = [0; STEPS + 1];
    let mut n = 0;
    while n < logs.len() {
        logs[n] = const_log2(1.0 + n as f64 / STEPS as f64);
        n += 1;
    }
    logs
}

/// Bit by bit, as `f64::log2` is not to be had in constants.
const fn const_log2(mut x: f64) -> i64 {
    let mut log = 0.0;
    while x >= 2.0 {
        x /= 2.0;
        log += 1.0;
    }
    let mut bit = 0.5;
    while bit > 1e-12 {
        x *= x;
        if x >= 2.0 {
            x /= 2.0;
            log += bit;
        }
        bit /= 2.0;
    }
    (log * Level::ONE as f64) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn logarithms_of_counts_are_right() {
        for n in 1..1000 {
            let error = log2(n).log2() - f64::from(n).log2();
            assert!(error.abs() < 3e-5, "{n}: {error}");
        }
    }

    proptest! {
        #[test]
        fn logarithms_are_right(number in 1.0..1e30_f64) {
            let error = Level::of(number).log2() - number.log2();

            prop_assert!(error.abs() < 3e-5, "{}", error);
        }

        #[test]
        fn logarithms_ascend(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a < b);

            prop_assert!(Level::of(a) <= Level::of(b));
        }
    }
}

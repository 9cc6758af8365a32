use crate::tally::Counts;

/// Finds backends that succeed less often than the others do, by more than chance explains.
///
/// At the end of each interval, of the backends with enough calls in it, those are outliers whose
/// success rate is below `mean − deviations · standard deviation` of all these rates, if it is not
/// by [`chance`](Self::chance).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    pub(crate) deviations: f64,
    pub(crate) enforcement: u8,
    pub(crate) min_backends: usize,
    pub(crate) min_calls: u64,
    pub(crate) chance: Option<f64>,
}

impl SuccessRate {
    /// Sets how many standard deviations below the mean a backend has to be. Default: 1.9, A50's
    /// factor 1900.
    ///
    /// # Panics
    ///
    /// Panics if it is negative or not a number.
    #[must_use]
    pub fn deviations(mut self, deviations: f64) -> Self {
        assert!(deviations >= 0.0, "a deviation is no less than none");
        self.deviations = deviations;
        self
    }

    /// Sets how many outliers in a hundred are ejected, by chance. Default: 100.
    ///
    /// # Panics
    ///
    /// Panics if `percent` is above 100.
    #[must_use]
    pub fn enforcement(mut self, percent: u8) -> Self {
        assert!(percent <= 100, "{ALL}");
        self.enforcement = percent;
        self
    }

    /// Sets how many backends need to have had enough calls for any to be judged. Default: 5.
    #[must_use]
    pub fn min_backends(mut self, min_backends: usize) -> Self {
        self.min_backends = min_backends;
        self
    }

    /// Sets how many calls a backend has to have had in an interval to be judged. Default: 100.
    #[must_use]
    pub fn min_calls(mut self, min_calls: u64) -> Self {
        self.min_calls = min_calls;
        self
    }

    /// Sets how improbable the failures of an outlier have to be, if it failed as often as the
    /// others do on average, or one call in a hundred, whichever is more. Default: less than one in
    /// a million, `Some(1e-6)`; `None` asks for nothing of the kind, and leaves A50's own
    /// arithmetic.
    ///
    /// A deviation knows no size: of backends that fail alike, one is always the worst, and A50
    /// alone finds one every few intervals. By default, of 100 calls ten have to fail, of 1000
    /// about thirty, if the others' are well.
    ///
    /// # Panics
    ///
    /// Panics if it is not between 0 and 1, both excluded.
    #[must_use]
    pub fn chance(mut self, chance: Option<f64>) -> Self {
        assert!(
            chance.is_none_or(|chance| chance > 0.0 && chance < 1.0),
            "what is to be improbable is neither certain nor impossible"
        );
        self.chance = chance;
        self
    }

    /// The places of the outliers.
    pub(crate) fn outliers(&self, counts: &[Counts]) -> Vec<usize> {
        let enough = |counts: &Counts| counts.calls() >= self.min_calls && counts.calls() > 0;
        let rates = || counts.iter().filter(|counts| enough(counts)).map(rate);
        let (judged, sum) = rates().fold((0_usize, 0.0), |(judged, sum), rate| {
            (judged + 1, sum + rate)
        });
        if judged == 0 || judged < self.min_backends {
            return Vec::new();
        }
        let mean = sum / judged as f64;
        let variance = rates().map(|rate| (rate - mean).powi(2)).sum::<f64>() / judged as f64;
        let required = mean - self.deviations * variance.sqrt();
        let places = counts.iter().enumerate();
        places
            .filter(|(_, counts)| enough(counts) && rate(counts) < required)
            .filter(|(_, counts)| {
                let others = (sum - rate(counts)) / (judged - 1) as f64;
                self.is_no_chance(counts, others)
            })
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether one fails more often than chance explains where the others succeed at this rate.
    fn is_no_chance(&self, counts: &Counts, others: f64) -> bool {
        let bound = |chance: f64| improbability(counts, (1.0 - others).max(COMMON)) > -chance.ln();
        self.chance.is_none_or(bound)
    }
}

/// A bound of how improbable so many failures are, or more, if each call fails with this
/// probability: less than `exp(−improbability)`, by Chernoff's inequality.
fn improbability(counts: &Counts, probability: f64) -> f64 {
    let failures = 1.0 - rate(counts);
    if failures <= probability {
        return 0.0;
    }
    let part = |found: f64, expected: f64| {
        if found > 0.0 {
            found * (found / expected).ln()
        } else {
            0.0
        }
    };
    let divergence = part(failures, probability) + part(1.0 - failures, 1.0 - probability);
    counts.calls() as f64 * divergence
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            deviations: 1.9,
            enforcement: 100,
            min_backends: 5,
            min_calls: 100,
            chance: Some(1e-6),
        }
    }
}

fn rate(counts: &Counts) -> f64 {
    counts.successes as f64 / counts.calls() as f64
}

/// The others are taken to fail that often at least: that they have not failed is by chance, too.
const COMMON: f64 = 0.01;

const ALL: &str = "there are 100 in a hundred";

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(successes: u64, failures: u64) -> Counts {
        Counts {
            successes,
            failures,
            ignored: 0,
        }
    }

    #[test]
    fn one_that_fails_half_the_time_is_an_outlier() {
        let mut all = [counts(1000, 0); 10];
        all[3] = counts(500, 500);

        assert_eq!(SuccessRate::default().outliers(&all), [3]);
    }

    #[test]
    fn all_alike_are_none() {
        for all in [[counts(0, 100); 10], [counts(90, 10); 10]] {
            assert_eq!(SuccessRate::default().outliers(&all), []);
        }
    }

    #[test]
    fn those_with_few_calls_are_neither_judged_nor_compared() {
        let mut all = [counts(100, 0); 6];
        all[0] = counts(0, 99);
        all[1] = counts(50, 50);

        assert_eq!(SuccessRate::default().outliers(&all), [1]);
        assert_eq!(SuccessRate::default().outliers(&all[..5]), []);
    }

    #[test]
    fn no_calls_are_no_outlier() {
        let any = SuccessRate::default().min_calls(0).min_backends(0);

        assert_eq!(any.outliers(&[]), []);
        assert_eq!(any.outliers(&[counts(0, 0); 10]), []);
    }

    #[test]
    fn a_factor_makes_the_bound() {
        // The mean is 0.9, the standard deviation 0.3: 0 is three of them away.
        let mut all = [counts(100, 0); 10];
        all[0] = counts(0, 100);

        let rate = SuccessRate::default();
        assert_eq!(rate.deviations(2.99).outliers(&all), [0]);
        assert_eq!(rate.deviations(3.01).outliers(&all), []);
    }

    #[test]
    fn what_chance_explains_is_no_reason() {
        let found = |calls: u64, failures: u64| {
            let mut all = [counts(calls, 0); 10];
            all[0] = counts(calls - failures, failures);
            SuccessRate::default().outliers(&all)
        };

        assert_eq!(
            [found(100, 9), found(1000, 28), found(10_000, 150)],
            [[]; 3]
        );
        assert_eq!(
            [found(100, 10), found(1000, 31), found(10_000, 160)],
            [[0]; 3]
        );
    }

    #[test]
    fn without_chance_one_failure_is_a_reason() {
        let mut all = [counts(1000, 0); 10];
        all[0] = counts(999, 1);

        assert_eq!(SuccessRate::default().outliers(&all), []);
        assert_eq!(SuccessRate::default().chance(None).outliers(&all), [0]);
    }

    #[test]
    fn the_more_the_others_fail_the_more_it_takes() {
        let found = |calls: u64| {
            let mut all = [counts(calls / 10 * 8, calls / 10 * 2); 10];
            all[0] = counts(calls / 10 * 6, calls / 10 * 4);
            SuccessRate::default().outliers(&all)
        };

        assert_eq!((found(100), found(200)), (vec![], vec![0]));
    }

    #[test]
    fn no_failure_is_improbable() {
        assert_eq!(improbability(&counts(100, 0), 0.01), 0.0);
        assert_eq!(improbability(&counts(0, 5), 1.0), 0.0);
        assert!((improbability(&counts(0, 5), 0.1) - 5.0 * 10_f64.ln()).abs() < 1e-9);
    }
}

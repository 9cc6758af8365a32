use crate::tally::Counts;

/// Finds backends that succeed less often than the others do, by more than chance explains.
///
/// At the end of each interval, of the backends with enough calls in it, those are outliers whose
/// success rate is below `mean − deviations · standard deviation` of all these rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuccessRate {
    pub(crate) deviations: f64,
    pub(crate) enforcement: u8,
    pub(crate) min_backends: usize,
    pub(crate) min_calls: u64,
    pub(crate) tolerance: u8,
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

    /// Sets how many failures in a hundred calls make no outlier, however well the others do.
    /// Default: 10.
    ///
    /// A50 has none, which is 0. A deviation knows no size: of ten backends that fail alike, by
    /// chance one in a hundred calls, one or the other is an outlier every few intervals.
    ///
    /// # Panics
    ///
    /// Panics if `percent` is above 100.
    #[must_use]
    pub fn tolerance(mut self, percent: u8) -> Self {
        assert!(percent <= 100, "{ALL}");
        self.tolerance = percent;
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
        let tolerated = 1.0 - f64::from(self.tolerance) / 100.0;
        let places = counts.iter().enumerate();
        places
            .filter(|(_, counts)| enough(counts))
            .filter(|(_, counts)| rate(counts) < required && rate(counts) < tolerated)
            .map(|(place, _)| place)
            .collect()
    }
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self {
            deviations: 1.9,
            enforcement: 100,
            min_backends: 5,
            min_calls: 100,
            tolerance: 10,
        }
    }
}

fn rate(counts: &Counts) -> f64 {
    counts.successes as f64 / counts.calls() as f64
}

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
    fn few_failures_are_tolerated() {
        let mut all = [counts(1000, 0); 10];
        all[0] = counts(900, 100);

        assert_eq!(SuccessRate::default().outliers(&all), []);
        assert_eq!(SuccessRate::default().tolerance(0).outliers(&all), [0]);
        all[0] = counts(899, 101);
        assert_eq!(SuccessRate::default().outliers(&all), [0]);
    }
}

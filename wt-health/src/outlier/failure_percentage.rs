use crate::tally::Counts;

/// Finds backends most of whose calls fail, whatever the others do.
///
/// At the end of each interval, of the backends with enough calls in it, those are outliers whose
/// failures are more than `threshold` in a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePercentage {
    pub(crate) threshold: u8,
    pub(crate) enforcement: u8,
    pub(crate) min_backends: usize,
    pub(crate) min_calls: u64,
}

impl FailurePercentage {
    /// Sets how many failures in a hundred calls are not too many. Default: 85.
    ///
    /// # Panics
    ///
    /// Panics if `percent` is above 100.
    #[must_use]
    pub fn threshold(mut self, percent: u8) -> Self {
        assert!(percent <= 100, "{ALL}");
        self.threshold = percent;
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

    /// Sets how many calls a backend has to have had in an interval to be judged. Default: 50.
    #[must_use]
    pub fn min_calls(mut self, min_calls: u64) -> Self {
        self.min_calls = min_calls;
        self
    }

    /// The places of the outliers.
    pub(crate) fn outliers(&self, counts: &[Counts]) -> Vec<usize> {
        let enough = |counts: &Counts| counts.calls() >= self.min_calls && counts.calls() > 0;
        let judged = counts.iter().filter(|counts| enough(counts)).count();
        if judged < self.min_backends {
            return Vec::new();
        }
        let places = counts.iter().enumerate();
        places
            .filter(|(_, counts)| enough(counts) && self.is_exceeded(counts))
            .map(|(place, _)| place)
            .collect()
    }

    fn is_exceeded(&self, counts: &Counts) -> bool {
        let bound = u128::from(self.threshold) * u128::from(counts.calls());
        u128::from(counts.failures) * 100 > bound
    }
}

impl Default for FailurePercentage {
    fn default() -> Self {
        Self {
            threshold: 85,
            enforcement: 100,
            min_backends: 5,
            min_calls: 50,
        }
    }
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
    fn more_than_the_threshold_is_too_many() {
        let mut all = [counts(100, 0); 5];
        all[2] = counts(15, 85);
        assert_eq!(FailurePercentage::default().outliers(&all), []);

        all[2] = counts(14, 86);

        assert_eq!(FailurePercentage::default().outliers(&all), [2]);
    }

    #[test]
    fn all_may_fail() {
        let all = [counts(0, 50); 5];

        assert_eq!(FailurePercentage::default().outliers(&all), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn those_with_few_calls_are_not_judged() {
        let mut all = [counts(0, 50); 6];
        all[0] = counts(0, 49);

        assert_eq!(FailurePercentage::default().outliers(&all), [1, 2, 3, 4, 5]);
        assert_eq!(FailurePercentage::default().outliers(&all[..5]), []);
    }

    #[test]
    fn no_calls_are_no_outlier() {
        let any = FailurePercentage::default().min_calls(0).min_backends(0);

        assert_eq!(any.threshold(0).outliers(&[counts(0, 0); 3]), []);
    }
}

use std::time::Duration;

use crate::event::Reason;
use crate::outlier::{FailurePercentage, SuccessRate};
use crate::tally::Counts;

/// When calls eject a backend, and for how long; see the [crate docs](crate).
///
/// Arithmetic and defaults are those of gRFC A50, but for a tolerance of success rates that it does
/// not have; and five failures in a row eject, too.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlier {
    pub(crate) interval: Duration,
    pub(crate) base_ejection: Duration,
    pub(crate) max_ejection: Duration,
    pub(crate) max_ejected: u8,
    pub(crate) consecutive: Option<u32>,
    pub(crate) success_rate: Option<SuccessRate>,
    pub(crate) failure_percentage: Option<FailurePercentage>,
}

impl Outlier {
    /// Sets how often rates are judged. Default: 10 s.
    ///
    /// # Panics
    ///
    /// Panics if `interval` is zero.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        assert!(!interval.is_zero(), "an interval has a length");
        self.interval = interval;
        self
    }

    /// Sets for how long a backend is ejected: so long for the first time, twice for the second,
    /// and so on. Default: 30 s.
    ///
    /// Each interval in which it is not ejected takes one off again.
    ///
    /// # Panics
    ///
    /// Panics if `base_ejection` is zero.
    #[must_use]
    pub fn base_ejection(mut self, base_ejection: Duration) -> Self {
        assert!(!base_ejection.is_zero(), "an ejection has a length");
        self.base_ejection = base_ejection;
        self
    }

    /// Sets for how long a backend is ejected at most. Default: 300 s; no less than
    /// [`base_ejection`](Self::base_ejection).
    #[must_use]
    pub fn max_ejection(mut self, max_ejection: Duration) -> Self {
        self.max_ejection = max_ejection;
        self
    }

    /// Sets how many backends in a hundred are ejected at most, at any time, rounded down; one
    /// always may be, unless this is 0. Default: 10.
    ///
    /// # Panics
    ///
    /// Panics if `percent` is above 100.
    #[must_use]
    pub fn max_ejected(mut self, percent: u8) -> Self {
        assert!(percent <= 100, "there are 100 in a hundred");
        self.max_ejected = percent;
        self
    }

    /// Sets how many failures in a row eject at once. Default: 5; `None` is never.
    ///
    /// # Panics
    ///
    /// Panics if `consecutive` is 0.
    #[must_use]
    pub fn consecutive(mut self, consecutive: Option<u32>) -> Self {
        assert!(consecutive != Some(0), "no failure is no reason");
        self.consecutive = consecutive;
        self
    }

    /// Sets how success rates are compared, or that they are not (`None`). Default:
    /// [`SuccessRate::default`].
    #[must_use]
    pub fn success_rate(mut self, success_rate: Option<SuccessRate>) -> Self {
        self.success_rate = success_rate;
        self
    }

    /// Sets which share of failures is too much, or that none is (`None`). Default:
    /// [`FailurePercentage::default`].
    #[must_use]
    pub fn failure_percentage(mut self, failure_percentage: Option<FailurePercentage>) -> Self {
        self.failure_percentage = failure_percentage;
        self
    }

    /// How many of so many backends may be ejected.
    pub(crate) fn limit(&self, backends: usize) -> usize {
        let percent = usize::from(self.max_ejected);
        match percent {
            0 => 0,
            // No product that could overflow.
            _ => (backends / 100 * percent + backends % 100 * percent / 100).max(1),
        }
    }

    /// How long the ejection is that makes the multiplier this great.
    pub(crate) fn ejection(&self, multiplier: u32) -> Duration {
        let longest = self.max_ejection.max(self.base_ejection);
        self.base_ejection.saturating_mul(multiplier).min(longest)
    }

    /// The multiplier of the next ejection: no greater than makes a difference.
    pub(crate) fn multiplied(&self, multiplier: u32) -> u32 {
        if self.ejection(multiplier) < self.ejection(multiplier.saturating_add(1)) {
            multiplier + 1
        } else {
            multiplier.max(1)
        }
    }

    /// The places of the outliers, and why they are; some twice. `random` gives a number below its
    /// argument.
    pub(crate) fn outliers(
        &self,
        counts: &[Counts],
        mut random: impl FnMut(u8) -> u8,
    ) -> Vec<(usize, Reason)> {
        let mut outliers = Vec::new();
        if let Some(rate) = &self.success_rate {
            let places = rate.outliers(counts).into_iter();
            let chosen = places.filter(|_| random(100) < rate.enforcement);
            outliers.extend(chosen.map(|place| (place, Reason::SuccessRate)));
        }
        if let Some(percentage) = &self.failure_percentage {
            let places = percentage.outliers(counts).into_iter();
            let chosen = places.filter(|_| random(100) < percentage.enforcement);
            outliers.extend(chosen.map(|place| (place, Reason::FailurePercentage)));
        }
        outliers
    }
}

impl Default for Outlier {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_secs(300),
            max_ejected: 10,
            consecutive: Some(5),
            success_rate: Some(SuccessRate::default()),
            failure_percentage: Some(FailurePercentage::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    fn seconds(outlier: &Outlier, multipliers: impl IntoIterator<Item = u32>) -> Vec<u64> {
        let ejection = |multiplier| outlier.ejection(multiplier).as_secs();
        multipliers.into_iter().map(ejection).collect()
    }

    #[test]
    fn ejections_grow_up_to_the_longest() {
        let outlier = Outlier::default();

        assert_eq!(seconds(&outlier, [1, 2, 3, 10, 11]), [30, 60, 90, 300, 300]);
        let short = outlier.max_ejection(Duration::from_secs(1));
        assert_eq!(seconds(&short, [1, 2]), [30, 30]);
    }

    #[test]
    fn a_multiplier_is_no_greater_than_makes_a_difference() {
        let outlier = Outlier::default();
        let mut multiplier = 0;
        for _ in 0..100 {
            multiplier = outlier.multiplied(multiplier);
        }

        assert_eq!((outlier.multiplied(0), multiplier), (1, 10));
    }

    #[test]
    fn one_of_few_may_be_ejected() {
        let limit = |percent, backends| Outlier::default().max_ejected(percent).limit(backends);

        for backends in 1..20 {
            assert_eq!(limit(10, backends), 1);
        }
        assert_eq!([limit(10, 20), limit(10, 29), limit(10, 30)], [2, 2, 3]);
        // A third of three is one, two thirds are two, and one percent less is one less.
        assert_eq!(
            [limit(33, 3), limit(34, 3), limit(66, 3), limit(67, 3)],
            [1, 1, 1, 2]
        );
        assert_eq!([limit(99, 3), limit(100, 3)], [2, 3]);
        assert_eq!(limit(0, 1000), 0);
        assert_eq!(limit(100, usize::MAX), usize::MAX);
    }

    proptest! {
        #[test]
        fn no_more_than_the_share_or_one(percent in 0_u8..=100, backends in any::<u32>()) {
            let limit = Outlier::default().max_ejected(percent).limit(backends as usize);

            prop_assert!(limit as u64 * 100 <= u64::from(backends) * u64::from(percent) || limit == 1);
            prop_assert!((limit as u64 + 1) * 100 > u64::from(backends) * u64::from(percent));
        }
    }
}

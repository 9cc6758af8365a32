use std::time::Duration;

use crate::event::Reason;
use crate::outlier::{FailurePercentage, SuccessRate};
use crate::tally::Counts;

/// When calls eject a backend, and for how long; see the [crate docs](crate).
///
/// The algorithms, their arithmetic and their defaults are those of
/// [gRFC A50](https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md). It is
/// departed from where it would eject those that are well, or more than it may:
///
/// | here | in A50 | since |
/// | --- | --- | --- |
/// | An outlier of the success rate has to fail more often than [chance](SuccessRate::chance) explains. | There is no such condition. | Of backends that fail alike, one is always the worst. |
/// | [`consecutive`](Self::consecutive) failures eject, too, and at once. | Only the end of an interval ejects. | A dead backend is found by five calls, however few there are. |
/// | Never are more than [`max_ejected`](Self::max_ejected) percent out, rounded down, but for one; none if it is 0. If backends leave, those who would be back first are. | Another one is ejected unless more than so many percent are; implementations differ. | It is a limit. |
/// | [`min_backends`](FailurePercentage::min_backends) counts those with enough calls. | The failure percentage counts all. | So does gRPC's own code. |
/// | One that is out is not judged, nor is one twice in an interval. | It may be ejected again while it is, which makes the multiplier grow twice. | Late answers say nothing new. |
/// | An ejection ends when its time is over. | It ends with the next interval. | Nobody has to wait for longer. |
/// | Then one call has to succeed before all pass; if it fails, the next ejection begins. | All calls pass, until there are enough to judge by. | One call is less to lose. |
/// | After it, counts begin anew. | They go on. | They are of the time before. |
/// | A backend that leaves and comes back is as it was. | Its address is forgotten. | A new connection is no new server. |
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
    /// Each interval in which it is not ejected takes one off again, those beyond the
    /// [longest](Self::max_ejection) included.
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

    /// Sets how many backends in a hundred are ejected by their calls at most, at any time, rounded
    /// down; one always may be, unless this is 0. Default: 10.
    ///
    /// Those are not counted that are out by their probes alone, where
    /// [either ejects](crate::Combine::EitherEjects): of these there is no limit but the
    /// [panic threshold](crate::MonitorBuilder::panic_threshold).
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
    /// One that could not be ejected then, since enough were, may be each time that so many more
    /// have failed.
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

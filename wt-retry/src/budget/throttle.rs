use std::sync::Arc;

use crate::budget::Budget;
use crate::budget::bucket::Bucket;
use crate::budget::purse::{Purse, RETRY};

/// gRPC's throttle: no retries at all while too many attempts fail.
///
/// A count begins at its maximum. Each failure that is worth a retry takes one off, each response
/// that is final adds a ratio. Retries are allowed while the count is above half of the maximum, as
/// in [gRFC A6], "Throttling Retry Attempts and Hedged RPCs".
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
///
/// It hears of an outcome wherever the request could be saved, so that its policy saves requests
/// for their last attempts too; of requests that cannot be sent again it hears nothing.
///
/// Clones share one throttle. Make one for each destination.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bucket: Bucket,
    half: Purse,
    ratio: u64,
}

impl Throttle {
    /// A throttle with the maximum and the ratio of a gRPC service config.
    ///
    /// What the ratio has beyond three decimals is left out, as there.
    ///
    /// # Panics
    ///
    /// If the maximum is not in 1 to 1,000, or the ratio not in 0.001 to 1,000.
    #[must_use]
    pub fn new(max: u32, ratio: f64) -> Self {
        assert!((1..=1000).contains(&max), "the maximum is in 1 to 1000");
        assert!(
            (0.001..=1000.0).contains(&ratio),
            "the ratio is in 0.001 to 1000"
        );
        let all = Purse::of(max);
        Self(Arc::new(Shared {
            bucket: Bucket::new(all),
            half: Purse(all.0 / 2),
            // A thousandth that is only just missing is one that the type cannot hold.
            ratio: (ratio * 1000.0 + 1e-6).floor() as u64 * (RETRY / 1000),
        }))
    }
}

impl Budget for Throttle {
    type Permit = ();

    fn deposit(&self) {}

    fn withdraw(&self) -> Option<()> {
        (self.0.bucket.left().0 > self.0.half.0).then_some(())
    }

    fn answered(&self, failed: bool) {
        if failed {
            self.0.bucket.lose(RETRY);
        } else {
            self.0.bucket.put(self.0.ratio);
        }
    }

    fn observes(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(throttle: &Throttle, failed: bool, times: u32) -> bool {
        for _ in 0..times {
            throttle.answered(failed);
        }
        throttle.withdraw().is_some()
    }

    #[test]
    fn retries_stop_at_half_of_the_maximum() {
        let throttle = Throttle::new(10, 0.1);

        assert!(answer(&throttle, true, 4));
        assert!(!answer(&throttle, true, 1));
        assert!(answer(&throttle, false, 1));
    }

    #[test]
    fn the_count_stays_between_nothing_and_the_maximum() {
        let throttle = Throttle::new(10, 0.5);

        assert!(answer(&throttle, false, 100));
        assert!(!answer(&throttle, true, 100));
        assert!(!answer(&throttle, false, 10));
        assert!(answer(&throttle, false, 1));
    }

    #[test]
    fn an_odd_maximum_has_an_exact_half() {
        let throttle = Throttle::new(3, 1.0);

        assert!(answer(&throttle, true, 1));
        assert!(!answer(&throttle, true, 1));
    }

    #[test]
    fn a_ratio_has_three_decimals() {
        let throttle = Throttle::new(2, 0.0019);

        assert!(!answer(&throttle, true, 2));
        assert!(!answer(&throttle, false, 1000));
        assert!(answer(&throttle, false, 1));
    }

    #[test]
    fn no_thousandth_of_a_ratio_is_lost() {
        for thousandths in 1..=1000_u32 {
            let throttle = Throttle::new(1, f64::from(thousandths) / 1000.0);

            assert_eq!(throttle.0.ratio, u64::from(thousandths) * 1000);
        }
        assert_eq!(Throttle::new(1, 1.001).0.ratio, 1_001_000);
    }

    #[test]
    #[should_panic(expected = "0.001 to 1000")]
    fn a_ratio_that_would_never_let_it_recover_is_refused() {
        let _ = Throttle::new(10, 0.0009);
    }

    #[test]
    fn clones_share() {
        let throttle = Throttle::new(10, 0.1);
        let shared = throttle.clone();

        answer(&shared, true, 5);

        assert!(throttle.withdraw().is_none());
    }
}

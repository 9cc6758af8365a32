use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::budget::Budget;
use crate::budget::bucket::Bucket;
use crate::budget::purse::{Purse, RETRY};

/// Retries in proportion to first attempts, with a small burst and a floor.
///
/// Each call's first attempt deposits a share of a retry, each retry withdraws a whole one. What is
/// deposited does not grow beyond the burst, and a new budget has that much. A second in which
/// nothing is left has the floor's retries all the same.
///
/// So `n` calls within a second have no more than `burst + ratio · n + 2 · floor` retries, besides
/// those that calls given up meanwhile have returned; and in the long run `ratio · n`, and the
/// floor.
///
/// Clones share one budget. Make one for each destination: one for many lets the broken ones use
/// up what the others may need ([`Budgets`](super::Budgets) keeps one for each).
#[derive(Clone)]
pub struct RatioBudget(Arc<Shared>);

struct Shared {
    settings: Settings,
    bucket: Bucket,
    began: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    ratio: f64,
    floor: u32,
    burst: u32,
}

impl RatioBudget {
    fn with(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings,
            bucket: Bucket::new(Purse::of(settings.burst)),
            began: Instant::now(),
        }))
    }

    /// What share of a retry each first attempt deposits. Default: 0.1.
    ///
    /// The result is a budget of its own, and full; so it is with every setter.
    ///
    /// # Panics
    ///
    /// If it is negative, or greater than 1,000.
    #[must_use]
    pub fn ratio(self, ratio: f64) -> Self {
        assert!((0.0..=1000.0).contains(&ratio), "a ratio is at most 1000");
        let settings = self.0.settings;
        Self::with(Settings { ratio, ..settings })
    }

    /// How many retries each second has even if nothing is left. Default: 1.
    #[must_use]
    pub fn floor(self, floor: u32) -> Self {
        let settings = self.0.settings;
        Self::with(Settings { floor, ..settings })
    }

    /// How many retries are saved up at most. Default: 100.
    #[must_use]
    pub fn burst(self, burst: u32) -> Self {
        let settings = self.0.settings;
        Self::with(Settings { burst, ..settings })
    }

    /// How many retries are saved up now, the floor's apart.
    #[must_use]
    pub fn left(&self) -> u32 {
        u32::try_from(self.0.bucket.left().0 / RETRY).unwrap_or(u32::MAX)
    }

    /// Whether a new one would do as well: nobody else has it, nor is anything spent of it.
    pub(crate) fn is_as_new(&self) -> bool {
        let Shared { bucket, began, .. } = &*self.0;
        Arc::strong_count(&self.0) == 1 && bucket.is_as_new(began.elapsed())
    }
}

impl Default for RatioBudget {
    fn default() -> Self {
        Self::with(Settings {
            ratio: 0.1,
            floor: 1,
            burst: 100,
        })
    }
}

impl Budget for RatioBudget {
    type Permit = RatioPermit;

    fn deposit(&self) {
        self.0.bucket.put(self.0.settings.share());
    }

    fn withdraw(&self) -> Option<RatioPermit> {
        let shared = &self.0;
        // The clock is read only where nothing is saved up.
        let granted = shared.bucket.take(RETRY) || {
            let floor = shared.settings.floor;
            floor > 0 && shared.bucket.take_floor(floor, shared.began.elapsed())
        };
        granted.then(|| RatioPermit(Some(Arc::clone(shared))))
    }

    fn sent(&self, permit: &mut RatioPermit) {
        permit.0 = None;
    }
}

impl Settings {
    fn share(&self) -> u64 {
        // In bounds, by the setter.
        (self.ratio * RETRY as f64).round() as u64
    }
}

impl fmt::Debug for RatioBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RatioBudget")
            .field("settings", &self.0.settings)
            .field("left", &self.left())
            .finish()
    }
}

/// One retry of a [`RatioBudget`]: dropped before it is sent, it goes back.
#[must_use = "dropping it gives the retry back"]
pub struct RatioPermit(Option<Arc<Shared>>);

impl Drop for RatioPermit {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.bucket.put(RETRY);
        }
    }
}

impl fmt::Debug for RatioPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RatioPermit")
            .field("sent", &self.0.is_none())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn spend(budget: &RatioBudget) -> bool {
        let permit = budget.withdraw();
        permit.is_some_and(|mut permit| {
            budget.sent(&mut permit);
            true
        })
    }

    fn spend_all(budget: &RatioBudget) -> usize {
        (0..10_000).take_while(|_| spend(budget)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_budget_has_its_burst_and_the_floor() {
        assert_eq!(spend_all(&RatioBudget::default()), 100 + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn ten_first_attempts_deposit_one_retry() {
        let budget = RatioBudget::default();
        spend_all(&budget);

        for _ in 0..9 {
            budget.deposit();
        }
        assert!(!spend(&budget));
        budget.deposit();

        assert_eq!(spend_all(&budget), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_burst_is_saved_up() {
        let budget = RatioBudget::default().burst(5).floor(0);

        for _ in 0..100_000 {
            budget.deposit();
        }
        advance(Duration::from_secs(1000)).await;

        assert_eq!(spend_all(&budget), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_budget_has_the_floor_each_second() {
        let budget = RatioBudget::default().burst(0).floor(2);

        let mut spent = Vec::new();
        for _ in 0..3 {
            advance(Duration::from_secs(1)).await;
            spent.push(spend_all(&budget));
        }

        assert_eq!(spent, [2, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_dropped_unsent_goes_back() {
        let budget = RatioBudget::default().burst(1).floor(0);

        drop(budget.withdraw());

        assert_eq!(spend_all(&budget), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_and_setters_do_not() {
        let budget = RatioBudget::default().burst(1).floor(0);
        let shared = budget.clone();
        let own = budget.clone().ratio(0.2);

        assert!(spend(&shared));

        assert!(!spend(&budget));
        assert!(spend(&own));
        assert_eq!((budget.left(), own.left()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "at most 1000")]
    fn a_negative_ratio_is_refused() {
        let _ = RatioBudget::default().ratio(-0.1);
    }
}

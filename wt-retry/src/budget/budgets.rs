use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::budget::ratio::RatioBudget;

/// A [`RatioBudget`] for each destination, by key.
///
/// For a service that is given the destination with each request, a maker for one;
/// [`PolicyFor`](crate::PolicyFor) chooses by it. Keys are hashed and compared under a lock. Clones
/// share all budgets.
#[derive(Clone)]
pub struct Budgets<K>(Arc<Shared<K>>);

struct Shared<K> {
    make: Box<dyn Fn() -> RatioBudget + Send + Sync>,
    max: usize,
    /// For those that come when there are as many as there may be.
    rest: RatioBudget,
    map: Mutex<HashMap<K, RatioBudget>>,
}

impl<K: Eq + Hash> Budgets<K> {
    /// Keeps at most `max` budgets, made by `make` when they are first asked for.
    ///
    /// Those that are full and that no call has are forgotten when room is needed: a new one allows
    /// no more than they did. If there are none, all further destinations share one, which is made
    /// at once.
    #[must_use]
    pub fn new(max: usize, make: impl Fn() -> RatioBudget + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            max,
            rest: make(),
            make: Box::new(make),
            map: Mutex::default(),
        }))
    }

    /// The budget of a destination.
    #[must_use]
    pub fn get(&self, key: K) -> RatioBudget {
        // Made before the lock is taken, since it is the caller's code that makes it.
        let known = self.0.find(&key);
        known.unwrap_or_else(|| self.0.insert(key, (self.0.make)()))
    }
}

impl<K: Eq + Hash> Shared<K> {
    fn find(&self, key: &K) -> Option<RatioBudget> {
        self.lock().get(key).cloned()
    }

    fn insert(&self, key: K, budget: RatioBudget) -> RatioBudget {
        let mut map = self.lock();
        if map.len() >= self.max && !map.contains_key(&key) {
            map.retain(|_, budget| !budget.is_as_new());
            if map.len() >= self.max {
                return self.rest.clone();
            }
        }
        map.entry(key).or_insert(budget).clone()
    }
}

impl<K> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, RatioBudget>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> fmt::Debug for Budgets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("known", &self.0.lock().len())
            .field("max", &self.0.max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn budgets(max: usize) -> Budgets<&'static str> {
        Budgets::new(max, || RatioBudget::default().burst(1).floor(0))
    }

    /// Leaves nothing in it.
    fn spend(budget: &RatioBudget) {
        budget.sent(&mut budget.withdraw().unwrap());
    }

    #[test]
    fn one_destination_does_not_use_up_what_another_has() {
        let budgets = budgets(8);

        spend(&budgets.get("broken"));

        assert_eq!(budgets.get("broken").left(), 0);
        assert_eq!(budgets.get("sound").left(), 1);
    }

    #[test]
    fn a_full_budget_makes_room() {
        let budgets = budgets(2);
        spend(&budgets.get("broken"));
        let _ = budgets.get("sound");

        spend(&budgets.get("third"));

        assert_eq!(budgets.get("broken").left(), 0);
        assert_eq!(budgets.get("third").left(), 0);
        assert_eq!(budgets.0.lock().len(), 2);
    }

    #[test]
    fn a_budget_that_a_call_has_is_not_forgotten() {
        // The call would spend it, and the next one a new one of the same destination.
        let budgets = budgets(1);
        let held = budgets.get("a");
        spend(&budgets.get("b"));

        spend(&held);

        assert_eq!(budgets.get("a").left(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_floor_that_is_used_up_is_not_forgotten() {
        let budgets = Budgets::new(1, || RatioBudget::default().burst(0).floor(1));
        spend(&budgets.get("a"));

        let _ = budgets.get("b");

        assert!(budgets.get("a").withdraw().is_none());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let _ = budgets.get("b");
        assert!(budgets.0.lock().contains_key("b"));
    }

    #[test]
    fn too_many_broken_ones_share_the_rest() {
        let budgets = budgets(2);
        for key in ["a", "b", "c"] {
            spend(&budgets.get(key));
        }

        assert_eq!(budgets.get("d").left(), 0);
        assert_eq!(budgets.0.lock().len(), 2);
    }
}

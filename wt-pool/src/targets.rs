use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Weak};

use tokio::time::Instant;

use crate::common::Common;
use crate::home::{Home, Owner};
use crate::lock::Lock;
use crate::stats::{PoolStats, Reason, TargetStats};
use crate::stock::Phase;

/// The homes of a pool, by target.
///
/// Targets are hashed and compared by their own code, which does not run under the lock: what is
/// locked is a map from hashes to those that have them.
pub(crate) struct Targets<T, C> {
    hasher: RandomState,
    map: Lock<Map<T, C>>,
    common: Arc<Common<C>>,
}

struct Map<T, C> {
    buckets: HashMap<u64, Bucket<T, C>>,
    closed: bool,
    /// The figures of targets that have left.
    past: TargetStats,
}

/// Those of one hash: one, but for rare collisions. It is replaced when it changes, never changed.
type Bucket<T, C> = Arc<[Entry<T, C>]>;

pub(crate) struct Entry<T, C> {
    pub(crate) target: Arc<T>,
    pub(crate) home: Arc<Home<C>>,
}

impl<T, C> Targets<T, C> {
    pub(crate) fn new(common: Arc<Common<C>>) -> Self {
        let map = Map {
            buckets: HashMap::new(),
            closed: false,
            past: TargetStats::default(),
        };
        Self {
            hasher: RandomState::new(),
            map: Lock::new(map),
            common,
        }
    }

    /// The home of a target, a new one if need be; one that is closed if the pool is.
    pub(crate) fn find_or_add(
        &self,
        target: &T,
        owner: impl Fn() -> Weak<dyn Owner<C>>,
    ) -> Arc<Home<C>>
    where
        T: Clone + Eq + Hash,
    {
        let hash = self.hasher.hash_one(target);
        loop {
            let bucket = self.bucket(hash);
            let found = bucket.iter().flat_map(|bucket| bucket.iter());
            let found = found.into_iter().find(|entry| *entry.target == *target);
            if let Some(found) = found {
                return Arc::clone(&found.home);
            }
            let home = Home::new(Arc::clone(&self.common), hash, owner());
            let entry = Entry {
                target: Arc::new(target.clone()),
                home: Arc::clone(&home),
            };
            let old = bucket.iter().flat_map(|bucket| bucket.iter());
            let with: Bucket<T, C> = old.cloned().chain([entry]).collect();
            match self.replace(hash, bucket.as_ref(), with) {
                Some(true) => return home,
                // Somebody else was faster.
                Some(false) => {}
                None => {
                    home.shut(Phase::Closed, Reason::PoolClosed);
                    return home;
                }
            }
        }
    }

    pub(crate) fn find(&self, target: &T) -> Option<Arc<Home<C>>>
    where
        T: Eq + Hash,
    {
        let bucket = self.bucket(self.hasher.hash_one(target))?;
        let found = bucket.iter().find(|entry| *entry.target == *target)?;
        Some(Arc::clone(&found.home))
    }

    /// The target whose home this is.
    pub(crate) fn target(&self, home: &Arc<Home<C>>) -> Option<Arc<T>> {
        let bucket = self.bucket(home.hash)?;
        let found = bucket.iter().find(|entry| Arc::ptr_eq(&entry.home, home))?;
        Some(Arc::clone(&found.target))
    }

    pub(crate) fn all(&self) -> Vec<Entry<T, C>> {
        self.map.lock().all()
    }

    /// Forgets a home that is empty, unless somebody holds on to it; says whether its keeper may
    /// end.
    pub(crate) fn forget(&self, home: &Arc<Home<C>>, keeper: bool) -> bool {
        let now = Instant::now();
        let mut left = None;
        let mut map = self.map.lock();
        let mut stock = home.stock.lock();
        if !stock.is_idle(now) || stock.kept && !keeper {
            return false;
        }
        stock.kept = false;
        let open = stock.phase == Phase::Open;
        if !open || stock.hinges == 0 {
            if open {
                stock.phase = Phase::Forgotten;
            }
            left = map.remove(home);
            if left.is_some() {
                map.past += stock.stats();
            }
        }
        drop(stock);
        drop(map);
        home.changed.notify_waiters();
        drop(left);
        true
    }

    /// Lets nobody in from here on, and closes what is not in use.
    pub(crate) fn close(&self) {
        self.map.lock().closed = true;
        for entry in self.all() {
            entry.home.shut(Phase::Closed, Reason::PoolClosed);
        }
    }

    /// Closes the connection that has been idle for longest, so that another target can have one.
    pub(crate) fn evict(&self) {
        let all = self.all();
        loop {
            let longest = all.iter().filter_map(|entry| {
                let (since, key) = entry.home.stock.lock().longest_idle()?;
                Some((since, key, &entry.home))
            });
            let longest = longest.min_by_key(|(since, ..)| *since);
            let Some((since, key, home)) = longest else {
                return;
            };
            // It may have been lent since, or be in use; another may be idle then.
            let still = home.stock.lock().longest_idle() == Some((since, key));
            if still {
                return home.close(key, Reason::Evicted);
            }
        }
    }

    pub(crate) fn stats(&self) -> PoolStats<T>
    where
        T: Clone,
    {
        // Both at once: one that leaves in between is in one of them.
        let (mut total, all) = {
            let map = self.map.lock();
            (map.past, map.all())
        };
        let mut targets = Vec::new();
        for entry in all {
            let stats = entry.home.stats();
            total += stats;
            targets.push((T::clone(&entry.target), stats));
        }
        PoolStats {
            targets,
            total,
            max_connections: self.common.rules.max_connections,
        }
    }

    fn bucket(&self, hash: u64) -> Option<Bucket<T, C>> {
        self.map.lock().buckets.get(&hash).cloned()
    }

    /// Says whether the bucket was still the old one; `None` if the pool is closed.
    fn replace(&self, hash: u64, old: Option<&Bucket<T, C>>, new: Bucket<T, C>) -> Option<bool> {
        let mut map = self.map.lock();
        if map.closed {
            drop(map);
            return None;
        }
        let same = match (map.buckets.get(&hash), old) {
            (Some(now), Some(old)) => Arc::ptr_eq(now, old),
            (None, None) => true,
            _ => false,
        };
        let dropped = if same {
            map.buckets.insert(hash, new)
        } else {
            Some(new)
        };
        drop(map);
        drop(dropped);
        Some(same)
    }
}

impl<T, C> Map<T, C> {
    fn all(&self) -> Vec<Entry<T, C>> {
        let all = self.buckets.values().flat_map(|bucket| bucket.iter());
        all.cloned().collect()
    }

    /// What has left, to be dropped once no lock is held.
    fn remove(&mut self, home: &Arc<Home<C>>) -> Option<Bucket<T, C>> {
        let bucket = self.buckets.get(&home.hash)?;
        let other = |entry: &&Entry<T, C>| !Arc::ptr_eq(&entry.home, home);
        let rest: Bucket<T, C> = bucket.iter().filter(other).cloned().collect();
        if rest.len() == bucket.len() {
            return None;
        }
        if rest.is_empty() {
            self.buckets.remove(&home.hash)
        } else {
            self.buckets.insert(home.hash, rest)
        }
    }
}

impl<T, C> Clone for Entry<T, C> {
    fn clone(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            home: Arc::clone(&self.home),
        }
    }
}

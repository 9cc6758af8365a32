use std::collections::HashMap;
use std::sync::Arc;

use crate::entry::Entry;

/// The entries of a monitor by the hashes of their keys.
///
/// Keys are hashed, compared and dropped by their own code, which is not to run under a lock: here
/// are only those that have a hash.
pub(crate) struct Keys<K> {
    buckets: HashMap<u64, Bucket<K>>,
}

/// Those of one hash: one, but for rare collisions. It is replaced when it changes, never changed.
pub(crate) type Bucket<K> = Arc<[Arc<Entry<K>>]>;

impl<K> Keys<K> {
    pub(crate) fn new() -> Self {
        Self {
            buckets: HashMap::new(),
        }
    }

    pub(crate) fn bucket(&self, hash: u64) -> Option<Bucket<K>> {
        self.buckets.get(&hash).cloned()
    }

    /// Whether those of one hash are still these.
    pub(crate) fn is_still(&self, hash: u64, bucket: Option<&Bucket<K>>) -> bool {
        match (self.buckets.get(&hash), bucket) {
            (Some(now), Some(then)) => Arc::ptr_eq(now, then),
            (None, None) => true,
            _ => false,
        }
    }

    /// Gives what is to be dropped without a lock.
    #[must_use]
    pub(crate) fn add(&mut self, entry: Arc<Entry<K>>) -> Option<Bucket<K>> {
        let hash = entry.hash;
        let old = self.buckets.get(&hash);
        let old = old.iter().flat_map(|bucket| bucket.iter()).cloned();
        let with = old.chain([entry]).collect();
        self.buckets.insert(hash, with)
    }

    /// Gives what is to be dropped without a lock.
    #[must_use]
    pub(crate) fn remove(&mut self, entry: &Arc<Entry<K>>) -> Option<Bucket<K>> {
        let bucket = self.buckets.get(&entry.hash)?;
        let other = |other: &&Arc<Entry<K>>| !Arc::ptr_eq(other, entry);
        let rest: Bucket<K> = bucket.iter().filter(other).cloned().collect();
        if rest.is_empty() {
            self.buckets.remove(&entry.hash)
        } else {
            self.buckets.insert(entry.hash, rest)
        }
    }
}

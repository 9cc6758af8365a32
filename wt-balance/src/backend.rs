use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock::Lock;
use crate::stats::Stats;

/// One backend, with the service that leads to it.
pub(crate) struct Backend<K, S> {
    pub(crate) key: Arc<K>,
    /// Of the key.
    pub(crate) hash: u64,
    /// Kept when the service is replaced.
    pub(crate) stats: Arc<Stats>,
    /// Its `clone` is the one piece of a user's code that runs under a lock: so `Send` is enough
    /// for a balancer that is `Sync`.
    service: Lock<S>,
    gone: AtomicBool,
}

impl<K, S> Backend<K, S> {
    pub(crate) fn new(key: Arc<K>, hash: u64, stats: Arc<Stats>, service: S) -> Self {
        Self {
            key,
            hash,
            stats,
            service: Lock::new(service),
            gone: AtomicBool::new(false),
        }
    }

    /// The same backend, reached by another service.
    pub(crate) fn with_service(&self, service: S) -> Self {
        let (key, stats) = (Arc::clone(&self.key), Arc::clone(&self.stats));
        Self::new(key, self.hash, stats, service)
    }

    #[inline]
    pub(crate) fn service(&self) -> S
    where
        S: Clone,
    {
        self.service.lock().clone()
    }

    /// Notes that its service has failed for good; says whether that is new.
    pub(crate) fn set_gone(&self) -> bool {
        !self.gone.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl<K: fmt::Debug, S> fmt::Debug for Backend<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("key", &self.key)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

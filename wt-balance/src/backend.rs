use std::fmt;
use std::sync::Arc;

use crate::lock::Lock;
use crate::stats::Stats;

/// One backend, with the service that leads to it.
pub(crate) struct Backend<K, S> {
    pub(crate) key: Arc<K>,
    /// Kept when the service is replaced.
    pub(crate) stats: Arc<Stats>,
    /// Its `clone` is the one piece of a user's code that runs under a lock: so `Send` is enough
    /// for a balancer that is `Sync`.
    service: Lock<S>,
    /// Of the service, among those that the backend has had.
    pub(crate) generation: u64,
}

impl<K, S> Backend<K, S> {
    pub(crate) fn new(key: Arc<K>, stats: Arc<Stats>, service: S) -> Self {
        Self {
            key,
            stats,
            service: Lock::new(service),
            generation: 0,
        }
    }

    /// The same backend, reached by another service.
    pub(crate) fn with_service(&self, service: S) -> Self {
        Self {
            key: Arc::clone(&self.key),
            stats: Arc::clone(&self.stats),
            service: Lock::new(service),
            generation: self.generation.saturating_add(1),
        }
    }

    #[inline]
    pub(crate) fn service(&self) -> S
    where
        S: Clone,
    {
        self.service.lock().clone()
    }

    /// Whether its service has failed for good, or has been replaced.
    pub(crate) fn is_gone(&self) -> bool {
        !self.stats.generation.is_current(self.generation)
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

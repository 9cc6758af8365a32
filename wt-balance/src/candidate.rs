use std::sync::Arc;

use crate::in_flight::InFlight;
use crate::members::Members;
use crate::stats::Stats;
use crate::timing::Since;

/// A backend's service that is, or may become, ready for one call.
pub(crate) struct Candidate<K, S> {
    pub(crate) service: S,
    pub(crate) stats: Arc<Stats>,
    generation: u64,
    /// Where it was when it was picked.
    pub(crate) place: u32,
    /// If anybody is to be told.
    pub(crate) key: Option<Arc<K>>,
}

/// A call that counts, and is to be made.
pub(crate) struct Begun<K, S> {
    pub(crate) in_flight: InFlight,
    pub(crate) service: S,
    pub(crate) key: Option<Arc<K>>,
}

impl<K, S: Clone> Candidate<K, S> {
    #[inline(always)]
    pub(crate) fn new(members: &Members<K, S>, place: usize, tells: bool) -> Self {
        let backend = &members.backends[place];
        // Of the slot, which is at hand already.
        let stats = Arc::clone(&members.slots[place].stats);
        Self {
            place: place as u32,
            service: backend.service(),
            stats,
            generation: backend.generation,
            key: tells.then(|| Arc::clone(&backend.key)),
        }
    }
}

impl<K, S> Candidate<K, S> {
    /// Whether the service has failed for good or been replaced, or the backend removed.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        !self.stats.generation.is_current(self.generation)
    }

    /// Begins a call; `None` if the backend has been removed.
    #[inline]
    pub(crate) fn begin(self, since: Since) -> Option<Begun<K, S>> {
        Some(Begun {
            in_flight: InFlight::begin(self.stats, since)?,
            service: self.service,
            key: self.key,
        })
    }

    /// Its service has failed for good. Says whether that is new.
    pub(crate) fn retire(&self) -> bool {
        self.stats.generation.retire(self.generation)
    }
}

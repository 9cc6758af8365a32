//! Which backends there are, and which of them are used: what a pick looks at, published as a
//! whole.

use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::backend::Backend;
use crate::clock::Nanos;
use crate::hash::mix;
use crate::stats::Stats;

/// Each client uses so many backends only, chosen by its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subset {
    pub(crate) size: usize,
    pub(crate) client: u64,
}

/// What does not change between two publications, but for what is atomic in it.
pub(crate) struct Members<K, S> {
    /// All that are known, in the order of arrival.
    pub(crate) known: Vec<Arc<Backend<K, S>>>,
    /// Those in use, tier by tier, and within one in the order of arrival.
    pub(crate) slots: Vec<Slot>,
    /// Those of the slots.
    pub(crate) backends: Vec<Arc<Backend<K, S>>>,
    pub(crate) tiers: Vec<Tier>,
    /// Never the same again.
    pub(crate) version: u64,
    /// Until when one of them warms up; 0 if none does.
    pub(crate) warm_until: AtomicU64,
    /// The version of the list that they are of; 0 if of none.
    pub(crate) list: u64,
}

/// What a policy sees of a backend. Nothing but a pointer, so that many are near to each other.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) stats: Arc<Stats>,
}

/// The backends of one priority.
#[derive(Debug)]
pub(crate) struct Tier {
    priority: u8,
    pub(crate) range: Range<usize>,
    /// Its share of the calls, in 2^-16; by how many of its backends are sound.
    share: AtomicU32,
    /// Whether so many fail that failures are ignored.
    panics: AtomicU32,
}

impl<K, S> Members<K, S> {
    pub(crate) fn new(known: Vec<Arc<Backend<K, S>>>, subset: Option<Subset>) -> Self {
        // All alike if nobody is to have anything, whoever is there just now.
        let equal = known.iter().all(|backend| backend.stats.weight() == 0);
        let mut used = used(&known, equal, subset);
        used.sort_by_key(|backend| (backend.stats.priority, backend.stats.id));
        let slots: Vec<_> = used.iter().map(|backend| Slot::new(backend)).collect();
        let warm_until = slots.iter().map(|slot| slot.stats.warm_at).max();
        Self {
            known,
            tiers: tiers(&slots),
            version: VERSION.fetch_add(1, Ordering::Relaxed),
            slots,
            backends: used,
            warm_until: AtomicU64::new(warm_until.unwrap_or(0)),
            list: 0,
        }
    }

    /// What was found of each tier before.
    pub(crate) fn take_over(&mut self, before: &Self) {
        for tier in &mut self.tiers {
            let same = before
                .tiers
                .iter()
                .find(|known| known.priority == tier.priority);
            if let Some(same) = same {
                tier.set_panics(same.panics());
            }
        }
    }

    /// When the first of those came that are known.
    pub(crate) fn born(&self) -> Option<Nanos> {
        self.known.first().map(|known| known.stats.born)
    }

    /// The backend with this number, used or not.
    pub(crate) fn known(&self, id: u64) -> Option<&Arc<Backend<K, S>>> {
        let place = self.known.binary_search_by_key(&id, |known| known.stats.id);
        self.known.get(place.ok()?)
    }

    /// The tier that a call asks first, by a number from 0 to 2^16.
    #[inline]
    pub(crate) fn first_tier(&self, draw: impl FnOnce() -> u32) -> usize {
        if self.tiers.len() < 2 {
            return 0;
        }
        let mut left = draw();
        for (n, tier) in self.tiers.iter().enumerate() {
            let share = tier.share();
            if left < share {
                return n;
            }
            left -= share;
        }
        // Nobody has room for it: the first ones bear it, as they would without the others.
        0
    }

    /// The slot of the backend with this number.
    #[inline]
    pub(crate) fn slot(&self, id: u64) -> Option<&Slot> {
        self.tiers.iter().find_map(|tier| {
            let slots = &self.slots[tier.range.clone()];
            let place = slots.binary_search_by_key(&id, |slot| slot.stats.id).ok()?;
            slots.get(place)
        })
    }

    /// Whether somebody may be warming up.
    #[inline]
    pub(crate) fn is_warming(&self) -> bool {
        self.warm_until.load(Ordering::Relaxed) != 0
    }
}

impl Slot {
    fn new<K, S>(backend: &Backend<K, S>) -> Self {
        // It may not have been looked at for long.
        backend.stats.refresh(backend.stats.calls.in_flight());
        Self {
            stats: Arc::clone(&backend.stats),
        }
    }
}

impl Tier {
    pub(crate) fn share(&self) -> u32 {
        self.share.load(Ordering::Relaxed)
    }

    pub(crate) fn set_share(&self, share: u32) {
        self.share.store(share, Ordering::Relaxed);
    }

    /// Says whether that is new.
    pub(crate) fn set_panics(&self, panics: bool) -> bool {
        self.panics.swap(u32::from(panics), Ordering::Relaxed) != u32::from(panics)
    }

    #[inline]
    pub(crate) fn panics(&self) -> bool {
        self.panics.load(Ordering::Relaxed) != 0
    }
}

/// Those that are there and have a weight, or whose weights are `equal`, and of these, in each
/// tier, the ones that are this client's.
///
/// By the highest random number that client and backend make together: whoever comes or goes
/// changes one place at most.
fn used<K, S>(
    known: &[Arc<Backend<K, S>>],
    equal: bool,
    subset: Option<Subset>,
) -> Vec<Arc<Backend<K, S>>> {
    let there = known.iter().filter(|backend| !backend.is_gone());
    let there = there.filter(|backend| equal || backend.stats.weight() > 0);
    let mut used: Vec<_> = there.map(Arc::clone).collect();
    if let Some(subset) = subset {
        used.sort_by_cached_key(|backend| {
            let rank = mix(backend.stats.hash, subset.client);
            (backend.stats.priority, Reverse(rank))
        });
        let mut place = (0, 0);
        used.retain(|backend| {
            if place.0 != backend.stats.priority {
                place = (backend.stats.priority, 0);
            }
            place.1 += 1;
            place.1 <= subset.size
        });
    }
    used
}

fn tiers(slots: &[Slot]) -> Vec<Tier> {
    let mut start = 0;
    let chunks = slots.chunk_by(|a, b| a.stats.priority == b.stats.priority);
    chunks
        .map(|chunk| {
            let range = start..start + chunk.len();
            start = range.end;
            Tier {
                priority: chunk[0].stats.priority,
                share: AtomicU32::new(if range.start == 0 { ALL } else { 0 }),
                panics: AtomicU32::new(0),
                range,
            }
        })
        .collect()
}

impl<K, S> fmt::Debug for Members<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("known", &self.known.len())
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

static VERSION: AtomicU64 = AtomicU64::new(1);

/// All of the calls.
pub(crate) const ALL: u32 = 1 << 16;

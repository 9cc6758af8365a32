use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::discover::Change;

use crate::backend::Backend;
use crate::census;
use crate::clock::Nanos;
use crate::common::Common;
use crate::hash::hash_of;
use crate::lock::Lock;
use crate::members::Members;
use crate::settings::Settings;
use crate::stats::{About, Stats};

/// The backends that the handles of one balancer share; each change is published as a whole.
pub(crate) struct Backends<K, S> {
    members: ArcSwap<Members<K, S>>,
    pub(crate) common: Arc<Common>,
    /// Told of each publication.
    pub(crate) changes: Arc<Notify>,
    settings: Settings<K>,
    /// Makes a backend's service anew; without it, that is left to discovery.
    pub(crate) maker: Option<Maker<K, S>>,
    bring_back: Option<BringBack<K, S>>,
    next_id: AtomicU64,
    /// When the next census is due.
    census_at: AtomicU64,
    /// Those that have left with calls under way.
    leaving: Lock<Vec<Weak<Stats>>>,
    /// Ends the tasks.
    pub(crate) gone: CancellationToken,
    pub(crate) this: Weak<Self>,
}

pub(crate) type Maker<K, S> = Box<dyn Fn(&K) -> S + Send + Sync>;

/// Sees to it that a backend that is gone has another service in the end.
pub(crate) type BringBack<K, S> = fn(&Backends<K, S>, &Arc<Stats>);

/// The handles' share in the backends: with the last one, the tasks end.
pub(crate) struct Owned<K, S>(pub(crate) Arc<Backends<K, S>>);

impl<K, S> Drop for Owned<K, S> {
    fn drop(&mut self) {
        self.0.gone.cancel();
    }
}

impl<K, S> Backends<K, S> {
    pub(crate) fn new(
        settings: Settings<K>,
        maker: Option<(Maker<K, S>, BringBack<K, S>)>,
    ) -> Arc<Self> {
        let (maker, bring_back) = maker.unzip();
        let common = Common::new(settings.decay, settings.overdue);
        Arc::new_cyclic(|this| Self {
            members: ArcSwap::from_pointee(Members::new(Vec::new(), settings.subset)),
            common: Arc::new(common),
            changes: Arc::default(),
            settings,
            maker,
            bring_back,
            next_id: AtomicU64::new(1),
            census_at: AtomicU64::new(0),
            leaving: Lock::default(),
            gone: CancellationToken::new(),
            this: Weak::clone(this),
        })
    }

    #[inline]
    pub(crate) fn members(&self) -> Guard<Arc<Members<K, S>>> {
        self.members.load()
    }

    pub(crate) fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// Looks at all backends if that is due.
    #[inline]
    pub(crate) fn take_census(&self, now: Nanos) {
        let due = self.census_at.load(Ordering::Relaxed);
        if now.0 >= due {
            self.census(due, now);
        }
    }

    #[cold]
    fn census(&self, due: u64, now: Nanos) {
        let next = now.0.saturating_add(CENSUS);
        let turn = self
            .census_at
            .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if turn.is_ok() {
            let questions = self.settings.questions;
            if !census::take(&self.members(), &self.common, questions, now) {
                // Soon again: the first answers make a difference.
                self.census_at.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Notes that the service of a backend has failed for good, and leaves it out until there is
    /// another.
    #[cold]
    pub(crate) fn lose(&self, stats: &Arc<Stats>, generation: u64) {
        if !stats.retire(generation) {
            return;
        }
        tracing::debug!(backend = &*stats.name, "backend gone");
        self.publish(|known| Some(known.to_vec()));
        if let Some(bring_back) = self.bring_back {
            bring_back(self, stats);
        }
    }

    /// Has the service of a backend that is gone made anew, if that is known still.
    pub(crate) fn renew(&self, id: u64) {
        let Some(maker) = &self.maker else {
            return;
        };
        let place = |known: &[Arc<Backend<K, S>>]| {
            known.binary_search_by_key(&id, |known| known.stats.id).ok()
        };
        let members = self.members.load_full();
        let gone = place(&members.known).map(|place| &members.known[place]);
        let Some(gone) = gone.filter(|backend| backend.is_gone()) else {
            return;
        };
        let new = Arc::new(gone.with_service(maker(&gone.key)));
        let renewed = self.publish(|known| {
            let place = place(known)?;
            let mut known = known.to_vec();
            // Another may have done the same meanwhile.
            Arc::ptr_eq(&known[place], gone).then(|| {
                known[place] = Arc::clone(&new);
                known
            })
        });
        if renewed {
            tracing::debug!(backend = &*new.stats.name, "backend made anew");
        }
    }

    /// Shuts the set down: no backend is left. Says whether it was open.
    pub(crate) fn close(&self) -> bool {
        let open = self.common.close();
        if open {
            tracing::debug!("shut down");
            self.gone.cancel();
        }
        self.publish(|_| Some(Vec::new()));
        open
    }

    /// How many calls are under way, on those that have left, too.
    pub(crate) fn in_flight(&self) -> usize {
        let members = self.members();
        let known = members.known.iter().map(|known| Arc::clone(&known.stats));
        let mut all: Vec<_> = known.collect();
        all.extend(
            self.leaving()
                .into_iter()
                .filter(|stats| stats.is_removed()),
        );
        let calls = all.iter().map(|stats| stats.calls.in_flight() as usize);
        calls.sum()
    }

    /// Whether no call is under way on those that have left.
    pub(crate) fn have_left(&self) -> bool {
        self.leaving().iter().all(|stats| stats.calls.is_idle())
    }

    /// Replaces all that are known by what `change` makes of them, unless that is nothing; says
    /// whether it was something.
    ///
    /// It is called again if somebody else was faster. Nothing is locked meanwhile.
    pub(crate) fn publish<F>(&self, mut change: F) -> bool
    where
        F: FnMut(&[Arc<Backend<K, S>>]) -> Option<Vec<Arc<Backend<K, S>>>>,
    {
        loop {
            let before = self.members.load_full();
            let Some(known) = change(&before.known) else {
                return false;
            };
            // Nobody comes back after the end.
            let known = if self.common.is_closing() {
                Vec::new()
            } else {
                known
            };
            let after = Arc::new(Members::new(known, self.settings.subset));
            let found = self.members.compare_and_swap(&before, Arc::clone(&after));
            if Arc::ptr_eq(&found, &before) {
                self.retire(&before, &after);
                self.changes.notify_waiters();
                return true;
            }
        }
    }

    /// Sees to those that have left, and to services that others have taken the place of.
    fn retire(&self, before: &Members<K, S>, after: &Members<K, S>) {
        // Both are in the order of arrival.
        let mut staying = after.known.iter().peekable();
        for backend in &before.known {
            let id = backend.stats.id;
            while staying.next_if(|next| next.stats.id < id).is_some() {}
            match staying.peek().filter(|next| next.stats.id == id) {
                Some(next) if Arc::ptr_eq(next, backend) => {}
                Some(_) => drop(backend.stats.retire(backend.generation)),
                None => {
                    backend.stats.remove();
                    tracing::debug!(backend = &*backend.stats.name, "backend removed");
                    self.leave(&backend.stats);
                }
            }
        }
    }

    fn leave(&self, stats: &Arc<Stats>) {
        stats.calls.await_end();
        let mut leaving = self.leaving.lock();
        if leaving.len() == leaving.capacity() {
            leaving.retain(|stats| stats.upgrade().is_some_and(|stats| !stats.calls.is_idle()));
        }
        leaving.push(Arc::downgrade(stats));
    }

    fn leaving(&self) -> Vec<Arc<Stats>> {
        let leaving = self.leaving.lock();
        leaving.iter().filter_map(Weak::upgrade).collect()
    }
}

impl<K, S> Backends<K, S>
where
    K: Eq + Hash + fmt::Debug,
    S: Clone,
{
    /// Makes several changes at once. A backend that is known keeps its figures.
    pub(crate) fn apply(&self, changes: Vec<Change<K, S>>) {
        let first = self.members().known.is_empty();
        // The last word on each key.
        let mut changed = HashMap::new();
        for change in changes {
            let (key, service) = match change {
                Change::Insert(key, service) => (Arc::new(key), Some(service)),
                Change::Remove(key) => (Arc::new(key), None),
            };
            let new = service.map(|service| self.backend(Arc::clone(&key), service, first));
            changed.insert(key, new.map(Arc::new));
        }
        self.publish(|known| Some(merge(known, &changed)));
    }

    /// Knows these and no others, where `make` makes the service of a new one.
    pub(crate) fn reconcile(&self, wanted: &[K], make: impl Fn(&K) -> S)
    where
        K: Clone,
    {
        // Each is made once, even if somebody else makes a change meanwhile.
        let mut made = HashMap::new();
        self.publish(|known| {
            let first = known.is_empty();
            let staying: HashSet<&K> = known.iter().map(|known| &*known.key).collect();
            let mut changed = HashMap::new();
            for key in wanted.iter().filter(|key| !staying.contains(key)) {
                let new = made.entry(key).or_insert_with(|| {
                    Arc::new(self.backend(Arc::new(key.clone()), make(key), first))
                });
                changed.insert(Arc::clone(&new.key), Some(Arc::clone(new)));
            }
            let wanted: HashSet<&K> = wanted.iter().collect();
            for leaving in known.iter().filter(|known| !wanted.contains(&*known.key)) {
                changed.insert(Arc::clone(&leaving.key), None);
            }
            (!changed.is_empty()).then(|| merge(known, &changed))
        });
    }

    /// Says whether the key is known.
    pub(crate) fn set_weight(&self, key: &K, weight: u32) -> bool {
        self.publish(|known| {
            let backend = known.iter().find(|known| *known.key == *key)?;
            backend.stats.set_weight(weight);
            tracing::debug!(backend = &*backend.stats.name, weight, "weight set");
            Some(known.to_vec())
        })
    }

    fn backend(&self, key: Arc<K>, service: S, first: bool) -> Backend<K, S> {
        let settings = &self.settings;
        let now = self.common.now();
        // The first ones have nobody to be slower than.
        let warm_at = if first || settings.slow_start.is_zero() {
            0
        } else {
            now.after(settings.slow_start).0
        };
        let about = About {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            hash: hash_of(&*key),
            name: format!("{key:?}").into(),
            weight: settings.weight.as_ref().map_or(1, |weight| weight(&key)),
            priority: settings
                .priority
                .as_ref()
                .map_or(0, |priority| priority(&key)),
            born: now,
            warm_at,
        };
        let stats = Arc::new(Stats::new(about, &self.common));
        Backend::new(key, stats, service)
    }
}

type Changed<K, S> = HashMap<Arc<K>, Option<Arc<Backend<K, S>>>>;

/// Those that are known after these changes, in the order of arrival.
fn merge<K, S>(known: &[Arc<Backend<K, S>>], changed: &Changed<K, S>) -> Vec<Arc<Backend<K, S>>>
where
    K: Eq + Hash,
    S: Clone,
{
    let mut after = Vec::with_capacity(known.len() + changed.len());
    let mut seen = HashSet::new();
    for backend in known {
        let Some((key, change)) = changed.get_key_value(&*backend.key) else {
            after.push(Arc::clone(backend));
            continue;
        };
        seen.insert(key);
        if let Some(new) = change {
            tracing::debug!(backend = &*backend.stats.name, "backend changed");
            after.push(Arc::new(backend.with_service(new.service())));
        }
    }
    for (key, new) in changed {
        if let Some(new) = new.as_ref().filter(|_| !seen.contains(key)) {
            tracing::debug!(backend = &*new.stats.name, "backend added");
            after.push(Arc::clone(new));
        }
    }
    after.sort_by_key(|backend| backend.stats.id);
    after
}

/// The time between two looks at all backends: 10 ms.
const CENSUS: u64 = 10_000_000;

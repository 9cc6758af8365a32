use std::collections::{BTreeMap, HashMap, HashSet};
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
use crate::candidate::Candidate;
use crate::census;
use crate::clock::{Nanos, nanos};
use crate::common::{CENSUS, Common};
use crate::hash::hash_of;
use crate::lock::Lock;
use crate::members::Members;
use crate::mend::{self, Mender};
use crate::merge::merge;
use crate::settings::Settings;
use crate::stats::{About, Stats};
use crate::targets::List;

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
    pub(crate) mender: Mender,
    /// Those that have left with calls under way.
    leaving: Lock<Vec<Weak<Stats>>>,
    /// Ends the tasks.
    pub(crate) gone: CancellationToken,
    pub(crate) this: Weak<Self>,
}

pub(crate) type Maker<K, S> = Box<dyn Fn(&K) -> S + Send + Sync>;

/// Sees to it that backends that are gone have other services in the end.
pub(crate) type BringBack<K, S> = fn(&Backends<K, S>);

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
        let common = Common::new(settings.decay, settings.overdue, settings.rest);
        Arc::new_cyclic(|this| Self {
            members: ArcSwap::from_pointee(Members::new(Vec::new(), settings.subset)),
            common: Arc::new(common),
            changes: Arc::default(),
            settings,
            maker,
            bring_back,
            mender: Mender::default(),
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
        let due = self.common.census_at.load(Ordering::Relaxed);
        if now.0 >= due {
            self.census(due, now);
        }
    }

    #[cold]
    fn census(&self, due: u64, now: Nanos) {
        let next = now.0.saturating_add(CENSUS);
        let turn =
            self.common
                .census_at
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        if turn.is_ok() {
            self.common.count_timed(next.saturating_sub(due));
            let questions = self.settings.questions;
            if !census::take(&self.members(), &self.common, questions, now) {
                // Soon again: the first answers make a difference.
                self.common.census_at.store(0, Ordering::Relaxed);
            }
            self.bring_back();
        }
    }

    /// Notes that these services have failed for good, and leaves their backends out until they
    /// have others.
    #[cold]
    pub(crate) fn lose(&self, lost: &[Candidate<K, S>]) {
        let mut any = false;
        for candidate in lost.iter().filter(|candidate| candidate.retire()) {
            any = true;
            let stats = &candidate.stats;
            tracing::debug!(backend = &*stats.name, "backend gone");
            if self.bring_back.is_some() {
                let times = stats.remade.fetch_add(1, Ordering::Relaxed);
                self.mender.add(stats.id, times, self.common.now());
            }
        }
        if any {
            self.publish(|before| Some(before.known.clone()));
            self.bring_back();
        }
    }

    /// Has the services of those who are gone made anew, as they are due.
    pub(crate) fn bring_back(&self) {
        if let Some(bring_back) = self.bring_back {
            bring_back(self);
        }
    }

    /// Makes the services of these backends anew that are gone, and known still.
    pub(crate) fn renew(&self, ids: &[u64]) {
        let Some(maker) = &self.maker else {
            return;
        };
        let mut renewed = BTreeMap::new();
        let members = self.members.load_full();
        for id in ids {
            let gone = members.known(*id).filter(|known| known.is_gone());
            let Some(gone) = gone else {
                self.mender.remove(*id);
                continue;
            };
            match mend::make(|| maker(&gone.key)) {
                Some(service) => {
                    // If it is gone again as soon as it is there, that is noted anew.
                    self.mender.remove(*id);
                    renewed.insert(*id, (gone, Arc::new(gone.with_service(service))));
                }
                None => {
                    let times = gone.stats.remade.fetch_add(1, Ordering::Relaxed);
                    self.mender.add(*id, times, self.common.now());
                }
            }
        }
        if renewed.is_empty() {
            return;
        }
        self.publish(|before| {
            let renew = |known: &Arc<Backend<K, S>>| match renewed.get(&known.stats.id) {
                // Another may have done the same meanwhile.
                Some((gone, new)) if Arc::ptr_eq(known, gone) => Arc::clone(new),
                _ => Arc::clone(known),
            };
            Some(before.known.iter().map(renew).collect())
        });
        for (_, new) in renewed.values().filter(|(_, new)| !new.is_gone()) {
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
                .filter(|stats| stats.generation.is_removed()),
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
    pub(crate) fn publish<F>(&self, change: F) -> bool
    where
        F: FnMut(&Members<K, S>) -> Option<Vec<Arc<Backend<K, S>>>>,
    {
        self.publish_list(0, change)
    }

    /// As [`publish`](Self::publish), by this version of a list: after a later one, nothing.
    fn publish_list<F>(&self, list: u64, mut change: F) -> bool
    where
        F: FnMut(&Members<K, S>) -> Option<Vec<Arc<Backend<K, S>>>>,
    {
        loop {
            let before = self.members.load_full();
            let Some(known) = change(&before) else {
                return false;
            };
            // Nobody comes back after the end.
            let known = if self.common.is_closing() {
                Vec::new()
            } else {
                known
            };
            let mut after = Members::new(known, self.settings.subset);
            after.list = list.max(before.list);
            after.take_over(&before);
            census::count(&after, self.settings.questions, self.common.now());
            let after = Arc::new(after);
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
                Some(_) => drop(backend.stats.generation.retire(backend.generation)),
                None => {
                    backend.stats.generation.remove();
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
        let set_born = self.members().born();
        // The last word on each key.
        let mut changed = HashMap::new();
        for change in changes {
            let (key, service) = match change {
                Change::Insert(key, service) => (Arc::new(key), Some(service)),
                Change::Remove(key) => (Arc::new(key), None),
            };
            let new = service.map(|service| self.backend(Arc::clone(&key), service, set_born));
            changed.insert(key, new.map(Arc::new));
        }
        self.publish(|before| Some(merge(&before.known, &changed)));
    }

    /// Knows those of this list and no others, where `make` makes the service of a new one; not if
    /// it knows a later list.
    pub(crate) fn reconcile(&self, list: &List<K>, make: impl Fn(&K) -> S)
    where
        K: Clone,
    {
        // Each is made once, even if somebody else makes a change meanwhile.
        let mut made = HashMap::new();
        self.publish_list(list.version, |before| {
            if before.list >= list.version || self.common.is_closing() {
                return None;
            }
            let staying: HashSet<&K> = before.known.iter().map(|known| &*known.key).collect();
            let mut changed = HashMap::new();
            for key in list.targets.iter().filter(|key| !staying.contains(key)) {
                let new = made.entry(key).or_insert_with(|| {
                    let key = Arc::new(key.clone());
                    let service = make(&key);
                    Arc::new(self.backend(key, service, before.born()))
                });
                changed.insert(Arc::clone(&new.key), Some(Arc::clone(new)));
            }
            let wanted: HashSet<&K> = list.targets.iter().collect();
            let known = before.known.iter();
            for leaving in known.filter(|known| !wanted.contains(&*known.key)) {
                changed.insert(Arc::clone(&leaving.key), None);
            }
            Some(merge(&before.known, &changed))
        });
    }

    /// Says whether the key is known.
    pub(crate) fn set_weight(&self, key: &K, weight: u32) -> bool {
        self.publish(|before| {
            let backend = before.known.iter().find(|known| *known.key == *key)?;
            backend.stats.set_weight(weight);
            tracing::debug!(backend = &*backend.stats.name, weight, "weight set");
            Some(before.known.clone())
        })
    }

    /// `set_born` is when the first of those came that are known, if any are.
    fn backend(&self, key: Arc<K>, service: S, set_born: Option<Nanos>) -> Backend<K, S> {
        let settings = &self.settings;
        let now = self.common.now();
        // The others have had as long as they have been there: that is enough for this one, too.
        let age = set_born.map_or(0, |born| now.since(born));
        let warm = nanos(settings.slow_start).min(age);
        let warm_at = if warm == 0 {
            0
        } else {
            now.0.saturating_add(warm)
        };
        let about = About {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
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

/// No two backends of a process have the same number.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use crate::cell::Shared;
use crate::clock::Clock;
use crate::entry::Entry;
use crate::event::Event;
use crate::fleet::{Actions, Change, Fleet, Rules};
use crate::handle::{Alive, Handle};
use crate::judge::{Id, Judge, Place};
use crate::keys::{Bucket, Keys};
use crate::lock::Lock;
use crate::outbox::{self, Numbered, Outbox};
use crate::teller;

/// What the handles of a monitor and its task share.
pub(crate) struct Core<K> {
    hasher: RandomState,
    state: Lock<State<K>>,
    shared: Shared,
    pub(crate) events: broadcast::Sender<Arc<Event<K>>>,
    /// Tells the task that there is something to do.
    pub(crate) changed: Notify,
}

struct State<K> {
    fleet: Fleet<Arc<Entry<K>>>,
    keys: Keys<K>,
    /// What the task has not told yet.
    outbox: Outbox<K>,
    /// The probes that it has not stopped yet.
    stopped: Vec<u64>,
}

/// What the task has to tell and to stop.
pub(crate) struct Turn<K> {
    pub(crate) changes: VecDeque<Numbered<K>>,
    pub(crate) missed: u64,
    pub(crate) stopped: Vec<u64>,
}

impl<K> Core<K> {
    pub(crate) fn new(rules: Rules) -> Arc<Self>
    where
        K: Send + Sync + 'static,
    {
        Arc::new_cyclic(|me| {
            let me: &Weak<Self> = me;
            let shared = Shared {
                consecutive: rules.outlier.consecutive.unwrap_or(0),
                clock: Arc::new(Clock::new(Instant::now())),
                judge: me.clone(),
            };
            let state = State {
                fleet: Fleet::new(rules, Rng::new()),
                keys: Keys::new(),
                outbox: Outbox::new(),
                stopped: Vec::new(),
            };
            Self {
                hasher: RandomState::new(),
                state: Lock::new(state),
                shared,
                events: broadcast::Sender::new(outbox::MOST),
                changed: Notify::new(),
            }
        })
    }

    /// What all share who have this backend by themselves.
    pub(crate) fn hold(self: &Arc<Self>, key: &K, alive: &Alive) -> (Arc<Entry<K>>, Arc<Handle>)
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        loop {
            let entry = self.find_or_add(key);
            let mut current = entry.handle.lock();
            if let Some(handle) = current.upgrade() {
                drop(current);
                return (entry, handle);
            }
            let (handle, after) = self.handle(&entry, alive);
            if let Some(handle) = &handle {
                *current = Arc::downgrade(handle);
            }
            drop(current);
            self.finish(after);
            // Unless it was forgotten since it was found.
            if let Some(handle) = handle {
                return (entry, handle);
            }
        }
    }

    /// One that is shared with nobody, so that its end is nobody else's.
    pub(crate) fn lease(self: &Arc<Self>, key: &K, alive: &Alive) -> Arc<Handle>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
    {
        loop {
            let (handle, after) = self.handle(&self.find_or_add(key), alive);
            self.finish(after);
            if let Some(handle) = handle {
                return handle;
            }
        }
    }

    pub(crate) fn find(&self, key: &K) -> Option<Arc<Entry<K>>>
    where
        K: Eq + Hash,
    {
        let bucket = self.bucket(self.hasher.hash_one(key))?;
        bucket.iter().find(|entry| entry.key == *key).cloned()
    }

    /// Decides, and does what follows.
    pub(crate) fn act<R>(
        &self,
        decide: impl FnOnce(&mut Fleet<Arc<Entry<K>>>, &mut Actions<Arc<Entry<K>>>) -> R,
    ) -> R {
        let (decided, after) = self.decide(decide);
        self.finish(after);
        decided
    }

    /// Only looks.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Fleet<Arc<Entry<K>>>) -> R) -> R {
        look(&self.state.lock().fleet)
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.state.lock().outbox.changes()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What the task has to tell since it was asked last.
    pub(crate) fn take_turn(&self) -> Turn<K> {
        let mut state = self.state.lock();
        let (changes, missed) = state.outbox.take();
        Turn {
            changes,
            missed,
            stopped: mem::take(&mut state.stopped),
        }
    }

    /// Nobody has it any more, whoever has; says whether anybody had.
    pub(crate) fn retire(&self, entry: &Arc<Entry<K>>) -> bool {
        let mut current = entry.handle.lock();
        *current = Weak::new();
        let (had, after) = self.decide(|fleet, actions| {
            let had = fleet.retire(entry.cell.id, actions);
            if had {
                actions.changes.push(Change::Removed(Arc::clone(entry)));
            }
            had
        });
        // Not before: who holds it meanwhile would be retired without being told.
        drop(current);
        self.finish(after);
        had
    }

    /// A new handle, if the backend is still known, and what follows.
    fn handle(
        self: &Arc<Self>,
        entry: &Arc<Entry<K>>,
        alive: &Alive,
    ) -> (Option<Arc<Handle>>, After<K>)
    where
        K: Send + Sync + 'static,
    {
        let now = Instant::now();
        let id = entry.cell.id;
        let (number, after) = self.decide(|fleet, actions| fleet.hold(id, now, actions));
        let handle = number.map(|number| {
            let cell = Arc::clone(&entry.cell);
            let judge: Arc<dyn Judge> = Arc::clone(self) as _;
            Arc::new(Handle::new(cell, number, judge, alive))
        });
        (handle, after)
    }

    fn find_or_add(&self, key: &K) -> Arc<Entry<K>>
    where
        K: Clone + Eq + Hash,
    {
        let hash = self.hasher.hash_one(key);
        loop {
            let bucket = self.bucket(hash);
            let mut all = bucket.iter().flat_map(|bucket| bucket.iter());
            if let Some(found) = all.find(|entry| entry.key == *key) {
                return Arc::clone(found);
            }
            let own = key.clone();
            let now = Instant::now();
            let mut state = self.state.lock();
            // Somebody else may have been faster.
            if !state.keys.is_still(hash, bucket.as_ref()) {
                drop(state);
                continue;
            }
            let make = |cell: &_| Arc::new(Entry::new(own, hash, Arc::clone(cell)));
            let entry = state.fleet.add(&self.shared, now, make);
            let old = state.keys.add(Arc::clone(&entry));
            drop(state);
            drop(old);
            return entry;
        }
    }

    fn bucket(&self, hash: u64) -> Option<Bucket<K>> {
        self.state.lock().keys.bucket(hash)
    }

    /// Decides; what follows is to be done without a lock.
    fn decide<R>(
        &self,
        decide: impl FnOnce(&mut Fleet<Arc<Entry<K>>>, &mut Actions<Arc<Entry<K>>>) -> R,
    ) -> (R, After<K>) {
        let mut after = After::default();
        let mut state = self.state.lock();
        let decided = decide(&mut state.fleet, &mut after.actions);
        state.keep(&mut after);
        drop(state);
        (decided, after)
    }

    fn finish(&self, after: After<K>) {
        if after.news {
            self.changed.notify_one();
        }
        for (number, change) in &after.missed {
            teller::end_watches(*number, change);
        }
        after.actions.wakers.into_iter().for_each(Waker::wake);
    }
}

impl<K> State<K> {
    /// Keeps for the task what it is to do.
    fn keep(&mut self, after: &mut After<K>) {
        let actions = &mut after.actions;
        let changed = !actions.changes.is_empty() || !actions.stopped.is_empty();
        after.news = actions.sooner || changed;
        for change in actions.changes.drain(..) {
            after.missed.extend(self.outbox.add(change));
        }
        self.stopped.append(&mut actions.stopped);
        for record in &actions.forgotten {
            after.buckets.extend(self.keys.remove(&record.tag));
        }
    }
}

/// What follows from a decision; all of it is dropped without a lock.
struct After<K> {
    actions: Actions<Arc<Entry<K>>>,
    news: bool,
    /// What is not told. Watches end by it nevertheless.
    missed: Vec<Numbered<K>>,
    buckets: Vec<Bucket<K>>,
}

impl<K> Default for After<K> {
    fn default() -> Self {
        Self {
            actions: Actions::default(),
            news: false,
            missed: Vec::new(),
            buckets: Vec::new(),
        }
    }
}

impl<K: Send + Sync> Judge for Core<K> {
    fn poll_admit(&self, id: Id, place: &mut Place, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let now = Instant::now();
        self.act(|fleet, actions| fleet.poll_admit(id, place, waker, now, actions))
    }

    fn leave(&self, id: Id, place: Place) {
        let now = Instant::now();
        self.act(|fleet, actions| fleet.leave(id, place, now, actions));
    }

    fn waits(&self, id: Id, permit: u64) {
        self.act(|fleet, _| fleet.waits(id, permit));
    }

    fn called(&self, id: Id, permit: u64) {
        let now = Instant::now();
        self.act(|fleet, _| fleet.called(id, permit, now));
    }

    fn give_back(&self, id: Id, permit: u64) {
        let now = Instant::now();
        self.act(|fleet, actions| fleet.give_back(id, permit, now, actions));
    }

    fn failed(&self, id: Id, epoch: u32) {
        let now = Instant::now();
        self.act(|fleet, actions| fleet.failed(id, epoch, now, actions));
    }

    fn proved(&self, id: Id, epoch: u32, success: bool) {
        let now = Instant::now();
        self.act(|fleet, actions| fleet.proved(id, epoch, success, now, actions));
    }

    fn wake_clock(&self) -> u64 {
        let now = self.clock().wake(Instant::now());
        self.changed.notify_one();
        now
    }

    fn unwatch(&self, id: Id) {
        self.act(|fleet, _| fleet.unwatch(id));
    }

    fn release(&self, id: Id, handle: u64) {
        self.act(|fleet, actions| fleet.release(id, handle, actions));
    }
}

impl<K> fmt::Debug for Core<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Between both, somebody else might hold it, and would not be told that it was removed.
    #[test]
    fn a_backend_is_removed_and_its_handle_forgotten_at_once() {
        let core = Core::new(Rules::default());
        let entry = core.find_or_add(&"a");
        let mut locked = 0;

        thread::scope(|scope| {
            core.look(|_| {
                // It waits for the fleet, which is looked at.
                scope.spawn(|| core.retire(&entry));
                let began = Instant::now();
                while locked < 1000 && began.elapsed() < Duration::from_secs(5) {
                    locked = if entry.handle.is_locked() {
                        locked + 1
                    } else {
                        0
                    };
                    thread::yield_now();
                }
            });
        });

        assert_eq!(locked, 1000);
    }
}

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::idleness::{Idleness, Verdict};
use crate::lock::Lock;

/// What the clones of one tracked service share.
pub(super) struct Tracker {
    limit: Duration,
    action: Arc<dyn Fn() + Send + Sync>,
    state: Lock<State>,
    /// Tells the watch that its wait for activity, or for the end of a call, may be over.
    changed: Arc<Notify>,
}

struct State {
    idleness: Idleness,
    /// The watch waits for a change, and for no instant.
    parked: bool,
    watch: Option<AbortOnDropHandle<()>>,
}

impl Tracker {
    pub(super) fn new(limit: Duration, action: Arc<dyn Fn() + Send + Sync>) -> Arc<Self> {
        let state = State {
            idleness: Idleness::new(Instant::now()),
            parked: false,
            watch: None,
        };
        Arc::new(Self {
            limit,
            action,
            state: Lock::new(state),
            changed: Arc::default(),
        })
    }

    /// Begins to watch, unless that has begun, and goes on.
    pub(super) fn watch(self: &Arc<Self>) {
        // It has ended if its runtime has, or if the action has panicked.
        let goes_on = |watch: &AbortOnDropHandle<()>| !watch.is_finished();
        let begun = self.state.lock().watch.as_ref().is_some_and(goes_on);
        if begun {
            return;
        }
        let watch = watch(Arc::downgrade(self), Arc::clone(&self.changed));
        let watch = AbortOnDropHandle::new(Handle::current().spawn(watch));
        // Of two that are begun at once, one ends here.
        let other = self.state.lock().watch.replace(watch);
        drop(other);
    }

    pub(super) fn begin(&self, now: Instant) {
        self.change(|idleness| idleness.begin(now));
    }

    pub(super) fn end(&self, now: Instant) {
        self.change(|idleness| idleness.end(now));
    }

    pub(super) fn record(&self, now: Instant) {
        self.change(|idleness| idleness.record(now));
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state.lock().idleness.in_flight()
    }

    pub(super) fn last(&self) -> Instant {
        self.state.lock().idleness.last()
    }

    fn change(&self, change: impl FnOnce(&mut Idleness)) {
        let mut state = self.state.lock();
        change(&mut state.idleness);
        let parked = state.parked && state.idleness.in_flight() == 0;
        state.parked &= !parked;
        drop(state);
        if parked {
            self.changed.notify_one();
        }
    }

    fn look(&self) -> Verdict {
        let mut state = self.state.lock();
        let verdict = state.idleness.look(self.limit, Instant::now());
        state.parked = verdict == Verdict::Wait;
        verdict
    }
}

/// Ends when the tracker does, whose last owner aborts it.
async fn watch(tracker: Weak<Tracker>, changed: Arc<Notify>) {
    loop {
        let Some(tracker) = tracker.upgrade() else {
            return;
        };
        let verdict = tracker.look();
        let action = Arc::clone(&tracker.action);
        drop(tracker);
        match verdict {
            Verdict::Expired => action(),
            Verdict::Until(end) => sleep_until(end).await,
            Verdict::Wait => changed.notified().await,
        }
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

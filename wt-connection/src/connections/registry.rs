use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::connection::WeakConnection;
use crate::connections::idle::Idle;
use crate::connections::reservation::Reservation;
use crate::connections::table::{Counts, Table};
use crate::connections::watch::watch;
use crate::error::{AddError, Close};
use crate::lock::Lock;
use crate::{Connection, ConnectionId};

/// What the handles of one registry share.
#[derive(Debug)]
pub(crate) struct Registry {
    state: Lock<State>,
    /// Told when the task has to look at its settings again.
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    table: Table<WeakConnection>,
    idle: Idle,
    /// Closes those that are idle, as long as there is anybody.
    task: Option<AbortOnDropHandle<()>>,
}

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State {
                table: Table::new(MAX_CONNECTIONS),
                idle: Idle::default(),
                task: None,
            }),
            changed: Arc::new(Notify::new()),
        })
    }

    pub(crate) fn set_max(&self, max: usize) {
        self.state.lock().table.set_max(max);
    }

    pub(crate) fn set_idle_timeout(&self, timeout: Option<Duration>) {
        self.state.lock().idle.timeout = timeout;
        self.changed.notify_one();
    }

    pub(crate) fn set_idle_check_interval(&self, interval: Duration) {
        self.state.lock().idle.check_interval = interval;
        self.changed.notify_one();
    }

    /// Keeps a place for a connection that is not there yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Reservation, AddError> {
        self.state.lock().table.reserve()?;
        Ok(Reservation::new(Arc::clone(self)))
    }

    /// Keeps a place for this connection, unless it has one.
    pub(crate) fn reserve_for(
        self: &Arc<Self>,
        id: ConnectionId,
    ) -> Result<Option<Reservation>, AddError> {
        let needed = self.state.lock().table.reserve_for(id)?;
        Ok(needed.then(|| Reservation::new(Arc::clone(self))))
    }

    /// Frees a place that was kept.
    pub(crate) fn release(&self) {
        self.state.lock().table.release();
    }

    /// Gives a connection the place that was kept for it.
    pub(crate) fn fill(self: &Arc<Self>, connection: &Connection, runtime: &Handle) {
        let id = connection.id();
        let mut state = self.state.lock();
        let filled = state.table.fill(id, connection.downgrade());
        if filled.close.is_none() {
            state.watch(self, runtime);
        }
        drop(state);
        if filled.watch {
            let registry = Arc::downgrade(self);
            connection.core().hold(Box::new(Leave { registry, id }));
        }
        if let Some(close) = filled.close {
            connection.core().closing.ask(close);
        }
    }

    pub(crate) fn remove(&self, id: ConnectionId) -> Option<WeakConnection> {
        self.leave(|table| table.remove(id))
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<WeakConnection> {
        self.state.lock().table.get(id)
    }

    pub(crate) fn all(&self) -> Vec<WeakConnection> {
        self.state.lock().table.all()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state.lock().table.counts()
    }

    /// The numbers and the connections, both of one moment.
    pub(crate) fn snapshot(&self) -> (Counts, Vec<WeakConnection>) {
        let state = self.state.lock();
        (state.table.counts(), state.table.all())
    }

    /// Lets nobody in any more, and gives those that are in.
    pub(crate) fn shut(&self, close: Close) -> Vec<WeakConnection> {
        let mut state = self.state.lock();
        state.table.shut(close);
        let task = state.task.take();
        let all = state.table.all();
        drop(state);
        drop(task);
        all
    }

    /// Takes somebody out; nothing is left to do for the task once nobody is in.
    fn leave<T>(&self, out: impl FnOnce(&mut Table<WeakConnection>) -> T) -> T {
        let mut state = self.state.lock();
        let left = out(&mut state.table);
        let task = match state.table.counts().open {
            0 => state.task.take(),
            _ => None,
        };
        drop(state);
        drop(task);
        left
    }

    /// When to look for idle connections again after having `looked`, if ever.
    pub(crate) fn next_look(&self, looked: Instant) -> Option<Instant> {
        self.state.lock().idle.next_look(looked)
    }

    /// Closes those that are idle, and are not closing.
    pub(crate) fn close_idle(&self, now: Instant) {
        let state = self.state.lock();
        let (idle, all) = (state.idle, state.table.all());
        drop(state);
        let open = all.iter().filter_map(WeakConnection::core);
        let used = open
            .filter(|core| !core.is_closing())
            .map(|core| (Arc::clone(&core), core.activity.last()));
        for core in idle.find(now, used) {
            tracing::debug!(connection = %core.id, "closing an idle connection");
            core.closing.ask(Close::new(0, "idle"));
        }
    }
}

impl State {
    /// Runs the task, unless it runs.
    fn watch(&mut self, registry: &Arc<Registry>, runtime: &Handle) {
        // It ends unasked only with the runtime that it was spawned on.
        let runs = self.task.as_ref().is_some_and(|task| !task.is_finished());
        if !runs {
            let watch = watch(Arc::downgrade(registry), Arc::clone(&registry.changed));
            self.task = Some(AbortOnDropHandle::new(runtime.spawn(watch)));
        }
    }
}

/// Takes its connection out of the registry when the connection is over.
struct Leave {
    registry: Weak<Registry>,
    id: ConnectionId,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.leave(|table| table.end(self.id));
        }
    }
}

const MAX_CONNECTIONS: usize = 3_000;

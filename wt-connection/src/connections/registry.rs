use std::sync::{Arc, Weak};

use crate::connection::WeakConnection;
use crate::connections::reservation::Reservation;
use crate::connections::table::{Counts, Table};
use crate::error::AddError;
use crate::lock::Lock;
use crate::{Connection, ConnectionId};

/// What the handles of one registry share.
#[derive(Debug)]
pub(crate) struct Registry {
    table: Lock<Table<WeakConnection>>,
}

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            table: Lock::new(Table::new(MAX_CONNECTIONS)),
        })
    }

    pub(crate) fn set_max(&self, max: usize) {
        self.table.lock().set_max(max);
    }

    /// Keeps a place for a connection that is not there yet.
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Reservation, AddError> {
        self.table.lock().reserve()?;
        Ok(Reservation::new(Arc::clone(self)))
    }

    /// Keeps a place for this connection, unless it has one.
    pub(crate) fn reserve_for(
        self: &Arc<Self>,
        id: ConnectionId,
    ) -> Result<Option<Reservation>, AddError> {
        let needed = self.table.lock().reserve_for(id)?;
        Ok(needed.then(|| Reservation::new(Arc::clone(self))))
    }

    /// Frees a place that was kept.
    pub(crate) fn release(&self) {
        self.table.lock().release();
    }

    /// Gives a connection the place that was kept for it.
    pub(crate) fn fill(self: &Arc<Self>, connection: &Connection) {
        let id = connection.id();
        let unwatched = self.table.lock().fill(id, connection.downgrade());
        if unwatched {
            let registry = Arc::downgrade(self);
            connection.core().hold(Box::new(Leave { registry, id }));
        }
    }

    pub(crate) fn remove(&self, id: ConnectionId) -> Option<WeakConnection> {
        self.table.lock().remove(id)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<WeakConnection> {
        self.table.lock().get(id)
    }

    pub(crate) fn all(&self) -> Vec<WeakConnection> {
        self.table.lock().all()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.table.lock().counts()
    }

    /// The numbers and the connections, both of one moment.
    pub(crate) fn snapshot(&self) -> (Counts, Vec<WeakConnection>) {
        let table = self.table.lock();
        (table.counts(), table.all())
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
            registry.table.lock().end(self.id);
        }
    }
}

const MAX_CONNECTIONS: usize = 3_000;

use std::sync::{Arc, Weak};

use crate::connection::{Core, Handle};
use crate::{Connection, ConnectionState};

/// A connection that this does not keep open.
#[derive(Clone, Debug)]
pub(crate) struct WeakConnection {
    handle: Weak<Handle>,
    /// There until the connection is over, which may be long after its last handle is gone.
    core: Weak<Core>,
}

impl WeakConnection {
    pub(super) fn new(handle: &Arc<Handle>) -> Self {
        Self {
            handle: Arc::downgrade(handle),
            core: Arc::downgrade(&handle.core),
        }
    }

    /// The connection; `None` once its last handle is gone.
    pub(crate) fn upgrade(&self) -> Option<Connection> {
        self.handle.upgrade().map(Connection::new)
    }

    /// What there is to be closed, or waited for.
    pub(crate) fn core(&self) -> Option<Arc<Core>> {
        self.core.upgrade()
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.core()
            .map_or(ConnectionState::Closed, |core| core.state.get())
    }
}

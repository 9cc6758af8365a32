use std::fmt;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use crate::cell::Cell;
use crate::handle::Handle;
use crate::lock::Lock;
use crate::watch::Ended;

/// A backend by its key.
pub(crate) struct Entry<K> {
    pub(crate) key: K,
    pub(crate) hash: u64,
    pub(crate) cell: Arc<Cell>,
    pub(crate) handle: Lock<Weak<Handle>>,
    /// The last end of a watch, and its place among all changes.
    pub(crate) ended: watch::Sender<Option<(u64, Ended)>>,
}

impl<K> Entry<K> {
    pub(crate) fn new(key: K, hash: u64, cell: Arc<Cell>) -> Self {
        Self {
            key,
            hash,
            cell,
            handle: Lock::new(Weak::new()),
            ended: watch::Sender::new(None),
        }
    }
}

impl<K> fmt::Debug for Entry<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.cell.id)
            .finish_non_exhaustive()
    }
}

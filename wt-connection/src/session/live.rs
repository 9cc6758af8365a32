use std::sync::Arc;

use slab::Slab;

use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::stream::Shared;

/// The streams of a session that handles use.
#[derive(Debug, Default)]
pub(crate) struct Live(Slab<Arc<Shared>>);

/// Where a stream is in [`Live`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamKey(usize);

impl Live {
    /// Keeps the stream that is made with its key.
    pub(crate) fn insert(&mut self, make: impl FnOnce(StreamKey) -> Arc<Shared>) -> Arc<Shared> {
        let entry = self.0.vacant_entry();
        let stream = make(StreamKey(entry.key()));
        entry.insert(Arc::clone(&stream));
        stream
    }

    /// Forgets a stream whose handles are gone; the session's end may have done so before.
    pub(crate) fn remove(&mut self, key: StreamKey) {
        self.0.try_remove(key.0);
    }

    /// Ends each with `error`.
    pub(crate) fn end(self, error: &SessionError, left_behind: &LeftBehind) {
        for (_, stream) in self.0 {
            stream.end(error, left_behind);
        }
    }
}

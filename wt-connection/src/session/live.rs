use std::sync::Arc;

use slab::Slab;

use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::stream::{Half, Received, Sending};

/// The streams of a session that a handle uses.
#[derive(Debug, Default)]
pub(crate) struct Live(Slab<LiveHalf>);

/// Where a stream's direction is in [`Live`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamKey(usize);

#[derive(Debug)]
pub(crate) enum LiveHalf {
    Send(Arc<Half<Sending>>),
    Recv(Arc<Half<Received>>),
}

impl Live {
    pub(crate) fn insert(&mut self, half: LiveHalf) -> StreamKey {
        StreamKey(self.0.insert(half))
    }

    /// Forgets a direction whose handle is gone; the session's end may have done so before.
    pub(crate) fn remove(&mut self, key: StreamKey) {
        self.0.try_remove(key.0);
    }

    /// Ends each with `error`.
    pub(crate) fn end(self, error: &SessionError, left_behind: &LeftBehind) {
        for (_, half) in self.0 {
            half.end(error, left_behind);
        }
    }
}

impl LiveHalf {
    fn end(&self, error: &SessionError, left_behind: &LeftBehind) {
        match self {
            Self::Send(half) => half.end(error, left_behind),
            Self::Recv(half) => half.end(error, left_behind),
        }
    }
}

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use slab::Slab;

use crate::error::SessionError;
use crate::stream::{Half, Received};

/// The streams of a session: those that a handle uses, and those that were dropped and are still
/// being delivered.
#[derive(Debug, Default)]
pub(crate) struct Live {
    halves: Slab<LiveHalf>,
    lingering: Vec<quinn::SendStream>,
    sweep_at: usize,
}

/// Where a stream's direction is in [`Live`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamKey(usize);

#[derive(Debug)]
pub(crate) enum LiveHalf {
    Send(Arc<Half<quinn::SendStream>>),
    Recv(Arc<Half<Received>>),
}

impl Live {
    pub(crate) fn insert(&mut self, half: LiveHalf) -> StreamKey {
        StreamKey(self.halves.insert(half))
    }

    /// Forgets a direction whose handle is gone; the session's end may have done so before.
    pub(crate) fn remove(&mut self, key: StreamKey) {
        self.halves.try_remove(key.0);
    }

    /// Keeps a finished stream until it is delivered, or the peer wants no more of it.
    pub(crate) fn linger(&mut self, stream: quinn::SendStream) {
        if is_settled(&stream) {
            // Dropped, it is reset if it was stopped; until then it takes up the peer's room.
            return;
        }
        if self.lingering.len() >= self.sweep_at.max(SWEEP_FIRST) {
            self.lingering.retain(|stream| !is_settled(stream));
            // Twice what is left, so that each stream is looked at twice on average.
            self.sweep_at = 2 * self.lingering.len();
        }
        self.lingering.push(stream);
    }

    pub(crate) fn take_lingering(&mut self) -> Vec<quinn::SendStream> {
        std::mem::take(&mut self.lingering)
    }

    /// Ends those that a handle uses with `error`; what was finished is delivered all the same.
    pub(crate) fn end(self, error: &SessionError) {
        for (_, half) in self.halves {
            half.end(error);
        }
    }
}

impl LiveHalf {
    fn end(&self, error: &SessionError) {
        match self {
            Self::Send(half) => half.end(error),
            Self::Recv(half) => half.end(error),
        }
    }
}

/// Says whether a finished stream was acknowledged or stopped, or is lost with its connection.
fn is_settled(stream: &quinn::SendStream) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(stream.stopped()).poll(&mut context).is_ready()
}

const SWEEP_FIRST: usize = 32;

use std::task::Waker;

use bytes::Bytes;

/// Datagrams that are there at once, and what comes of them: to lock, and to wake somebody, for one
/// at a time costs more.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each with the stream of the session that it is for.
    pub(super) arrived: Vec<(u64, Bytes)>,
    /// Who has waited for one, to be woken once nothing is locked.
    pub(crate) awaited: Vec<Waker>,
    /// Streams that some are for, and that are no sessions.
    pub(crate) astray: Vec<u64>,
}

impl Batch {
    pub(crate) fn push(&mut self, id: u64, datagram: Bytes) {
        self.arrived.push((id, datagram));
    }

    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }
}

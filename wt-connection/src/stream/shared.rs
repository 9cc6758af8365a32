use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::proto::control::Side;
use crate::session::{Accepted, SessionCore, SessionHandle, StreamKey};
use crate::stream::half::Half;
use crate::stream::received::Received;
use crate::stream::sending::Sending;

/// What the handles of one stream share with each other, and with its session, which may end it.
///
/// It holds the session open.
pub(crate) struct Shared {
    pub(super) send: Half<Sending>,
    pub(super) recv: Half<Received>,
    id: u64,
    session: Arc<SessionHandle>,
    key: StreamKey,
    /// How many handles there are.
    handles: AtomicU8,
    /// Of a stream that the peer opened, where its session bounds them; until both directions are
    /// gone.
    _room: Option<Accepted>,
}

impl Shared {
    pub(crate) fn new(
        session: Arc<SessionHandle>,
        key: StreamKey,
        id: u64,
        send: Option<quinn::SendStream>,
        mut recv: Option<Received>,
    ) -> Arc<Self> {
        let handles = u8::from(send.is_some()) + u8::from(recv.is_some());
        let room = recv.as_mut().and_then(Received::leave_room);
        Arc::new(Self {
            send: Half::new(send.map(Sending::new)),
            recv: Half::new(recv),
            id,
            session,
            key,
            handles: AtomicU8::new(handles),
            _room: room,
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether the peer opened it, which then may open another in its place once it is over.
    pub(super) fn is_by_peer(&self) -> bool {
        let by_server = self.id & 1 == 1;
        by_server == (self.session.side() == Side::Client)
    }

    pub(super) fn session(&self) -> &SessionCore {
        self.session.core()
    }

    /// Ends the sending direction with the session.
    pub(crate) fn end_send(&self, error: &SessionError, left_behind: &LeftBehind) {
        self.send.end(error, left_behind);
    }

    /// Ends both directions with the session, but for one that outlives it.
    pub(crate) fn end(&self, error: &SessionError, left_behind: &LeftBehind) {
        self.send.end(error, left_behind);
        self.recv.end(error, left_behind);
    }

    /// Counts a handle as gone; gives where the session knows the stream if it was the last.
    pub(super) fn leave(&self) -> Option<StreamKey> {
        // Whoever is last has what the other did.
        let last = self.handles.fetch_sub(1, Ordering::AcqRel) == 1;
        last.then_some(self.key)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

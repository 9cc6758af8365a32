use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::proto::code;
use crate::wire;

/// A CONNECT that this side gave up, and that the server may still count as a session.
#[derive(Debug)]
pub(crate) struct Cancelled {
    recv: quinn::RecvStream,
    /// The stream's other direction, already reset.
    _send: quinn::SendStream,
    /// The session's place.
    _reserved: OwnedSemaphorePermit,
}

impl Cancelled {
    pub(crate) fn new(
        mut send: quinn::SendStream,
        recv: quinn::RecvStream,
        reserved: OwnedSemaphorePermit,
    ) -> Self {
        let _ = send.reset(wire::varint(code::H3_REQUEST_CANCELLED));
        Self {
            recv,
            _send: send,
            _reserved: reserved,
        }
    }

    /// Frees the place once the server has ended its direction, too, or has taken too long over it.
    pub(crate) async fn settle(mut self, limit: Duration) {
        let ended =
            async { while let Ok(Some(_)) = self.recv.read_chunk(usize::MAX, true).await {} };
        if timeout(limit, ended).await.is_err() {
            let code = wire::varint(code::H3_REQUEST_CANCELLED);
            let _ = self.recv.stop(code);
        }
    }
}

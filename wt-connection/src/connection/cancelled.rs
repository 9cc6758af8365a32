use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::timeout;

use crate::lock::Lock;
use crate::proto::code;
use crate::{wait, wire};

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

/// Those that the driver has not taken yet.
///
/// Each holds a place, so the peer's limit of sessions bounds them.
#[derive(Debug, Default)]
pub(crate) struct CancelledConnects {
    queue: Lock<Vec<Cancelled>>,
    arrived: Notify,
}

impl CancelledConnects {
    /// Leaves a CONNECT to the driver, until the server knows that it was given up.
    pub(crate) fn push(&self, cancelled: Cancelled) {
        self.queue.lock().push(cancelled);
        self.arrived.notify_one();
    }

    /// Waits for one.
    pub(crate) async fn next(&self) -> Cancelled {
        wait::until(&self.arrived, || self.queue.lock().pop()).await
    }
}

use tokio::sync::{Notify, SetOnce};

use crate::lock::Lock;
use crate::wait;

/// Which requests either side has said that it does not process.
#[derive(Debug)]
pub(crate) struct GoAway {
    /// The first request of ours that the server does not process.
    received: Lock<u64>,
    /// Told when the server says so.
    changed: Notify,
    /// This side is to take no more.
    asked: SetOnce<()>,
    /// The first request of the client's that this server does not process.
    sent: SetOnce<u64>,
}

impl GoAway {
    pub(crate) fn new() -> Self {
        Self {
            received: Lock::new(NONE),
            changed: Notify::new(),
            asked: SetOnce::new(),
            sent: SetOnce::new(),
        }
    }

    pub(crate) fn receive(&self, first: u64) {
        *self.received.lock() = first;
        self.changed.notify_waiters();
    }

    pub(crate) fn is_received(&self) -> bool {
        *self.received.lock() != NONE
    }

    /// Waits until the server has said that it does not process the request `id`.
    pub(crate) async fn unprocessed(&self, id: u64) {
        wait::until(&self.changed, || {
            (*self.received.lock() <= id).then_some(())
        })
        .await;
    }

    /// Asks this side to take no more requests.
    pub(crate) fn ask(&self) {
        // Once is enough.
        let _ = self.asked.set(());
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.initialized()
    }

    pub(crate) async fn asked(&self) {
        self.asked.wait().await;
    }

    /// Processes no request from `first` on.
    pub(crate) fn cut_off(&self, first: u64) {
        // It is settled once.
        let _ = self.sent.set(first);
    }

    /// Says whether this side does not process the request `id`.
    pub(crate) fn is_cut_off(&self, id: u64) -> bool {
        self.sent.get().is_some_and(|first| *first <= id)
    }

    /// Waits until it is settled which requests this side still processes, and says which is the
    /// first that it does not.
    pub(crate) async fn settled(&self) -> u64 {
        *self.sent.wait().await
    }
}

/// Above every stream id: none is left out.
const NONE: u64 = u64::MAX;

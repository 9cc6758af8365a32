use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Which requests either side has said that it does not process.
#[derive(Debug)]
pub(crate) struct GoAway {
    /// The first request of ours that the server does not process.
    received: watch::Sender<u64>,
    /// This side is to take no more.
    asked: CancellationToken,
    /// The first request of the client's that this server does not process.
    sent: watch::Sender<u64>,
}

impl GoAway {
    pub(crate) fn new() -> Self {
        Self {
            received: watch::Sender::new(NONE),
            asked: CancellationToken::new(),
            sent: watch::Sender::new(NONE),
        }
    }

    pub(crate) fn receive(&self, first: u64) {
        self.received.send_replace(first);
    }

    pub(crate) fn is_received(&self) -> bool {
        *self.received.borrow() != NONE
    }

    /// Waits until the server has said that it does not process the request `id`.
    pub(crate) async fn unprocessed(&self, id: u64) {
        // The sender lives as long as `self`.
        let _ = self
            .received
            .subscribe()
            .wait_for(|first| *first <= id)
            .await;
    }

    /// Asks this side to take no more requests.
    pub(crate) fn ask(&self) {
        self.asked.cancel();
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    pub(crate) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Processes no request from `first` on.
    pub(crate) fn cut_off(&self, first: u64) {
        self.sent.send_replace(first);
    }

    /// Says whether this side does not process the request `id`.
    pub(crate) fn is_cut_off(&self, id: u64) -> bool {
        *self.sent.borrow() <= id
    }

    /// Waits until it is settled which requests this side still processes.
    pub(crate) async fn settled(&self) {
        // The sender lives as long as `self`.
        let _ = self.sent.subscribe().wait_for(|first| *first != NONE).await;
    }
}

/// Above every stream id: none is left out.
const NONE: u64 = u64::MAX;

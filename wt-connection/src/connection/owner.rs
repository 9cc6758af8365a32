use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::connection::closing::Closing;
use crate::error::Close;

/// Who a connection's driver belongs to: the endpoint, which may end it and waits for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    drivers: TaskTracker,
    closing: Closing,
}

impl Owner {
    /// Runs a driver, or anything else that has to end before the endpoint does.
    pub(crate) fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) {
        self.0.drivers.spawn(driver);
    }

    /// Asks every driver to close its connection; the first to ask says with what.
    pub(crate) fn close(&self, close: Close) {
        self.0.closing.ask(close);
        self.0.drivers.close();
    }

    /// Says whether somebody has asked to close.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.get().is_some()
    }

    /// Waits until somebody has asked to close.
    pub(crate) async fn closing(&self) -> Close {
        self.0.closing.asked().await
    }

    /// Waits until every driver has ended; only after `close`.
    pub(crate) async fn idle(&self) {
        self.0.drivers.wait().await;
    }
}

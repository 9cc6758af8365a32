use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::event::Event;

/// The events of a monitor from [`subscribe`](crate::Monitor::subscribe) on.
///
/// It holds up nobody: who falls behind by more than 256 events misses the oldest, and is told how
/// many ([`Event::Missed`]).
pub struct Events<K> {
    receiver: Receiver<Arc<Event<K>>>,
}

impl<K> Events<K> {
    pub(crate) fn new(receiver: Receiver<Arc<Event<K>>>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; `None` once the last handle of the monitor is gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an event that is not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Event<K>>
    where
        K: Clone,
    {
        match self.receiver.recv().await {
            Ok(event) => Some(Event::clone(&event)),
            Err(RecvError::Lagged(missed)) => Some(Event::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl<K> fmt::Debug for Events<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

use std::sync::Arc;

use tokio::time::Instant;

use crate::idle::tracker::Tracker;

/// What is known of the use of a service, from [`Idle::handle`](crate::Idle::handle).
///
/// # Clone
///
/// Clones are of the same service, and keep watch over it as its clones do.
#[derive(Clone, Debug)]
pub struct IdleHandle(Arc<Tracker>);

impl IdleHandle {
    pub(super) fn new(tracker: Arc<Tracker>) -> Self {
        Self(tracker)
    }

    /// How many calls are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// When a call began or ended last, or something else was recorded; at first, when the service
    /// was made.
    #[must_use]
    pub fn last_activity(&self) -> Instant {
        self.0.last()
    }

    /// Records that something has happened now.
    pub fn record(&self) {
        self.0.record(Instant::now());
    }
}

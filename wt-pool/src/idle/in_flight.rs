use std::sync::Arc;

use tokio::time::Instant;

use crate::idle::tracker::Tracker;

/// A call that is in flight until this is dropped.
#[derive(Debug)]
#[must_use = "the call ends when this is dropped"]
pub struct InFlight(Arc<Tracker>);

impl InFlight {
    pub(super) fn new(tracker: Arc<Tracker>) -> Self {
        tracker.begin(Instant::now());
        Self(tracker)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.end(Instant::now());
    }
}

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// When the application last used a connection: a stream, a datagram or a session of it.
///
/// What keeps the path alive, such as a PING, is not activity.
#[derive(Debug)]
pub(crate) struct Activity {
    since: Instant,
    /// Microseconds after `since`; a lost race between two stamps is off by as much as they are.
    last: AtomicU64,
}

impl Activity {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            last: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.since + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_stamp_is_that_of_the_last_record() {
        let activity = Activity::new(Instant::now());

        tokio::time::advance(Duration::from_secs(3)).await;
        activity.record();
        let recorded = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;

        assert_eq!(activity.last(), recorded);
    }
}

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::moment::Moment;

/// When the application last used a connection: a stream, a datagram, a session or a request of it;
/// and how often something went wrong.
///
/// What keeps the path alive, such as a PING, is not activity.
#[derive(Debug)]
pub(crate) struct Activity {
    since: Moment,
    /// Microseconds after `since`, to a millisecond: a stamp that changes with each use would go
    /// from core to core. A lost race between two stamps is off by as much as they are.
    last: AtomicU64,
    /// How many requests are under way.
    requests: AtomicUsize,
    /// What it was at the end of the connection, after which nothing uses that.
    at_end: OnceLock<Instant>,
    /// Faults of the peer's, and what was shed, other than what is counted where it is refused.
    errors: AtomicU64,
}

/// A request that is under way, during which its connection is in use.
#[derive(Debug)]
pub(crate) struct InUse(Arc<Activity>);

impl Activity {
    /// Begins with a use.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            since: now,
            last: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            at_end: OnceLock::new(),
            errors: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self) {
        let since = self.since.at.elapsed();
        let micros = since.as_secs() * 1_000_000 + u64::from(since.subsec_micros());
        if micros.abs_diff(self.last.load(Ordering::Relaxed)) >= 1_000 {
            self.last.store(micros, Ordering::Relaxed);
        }
    }

    /// Notes that a request is under way, until what is given is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> InUse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        InUse(Arc::clone(self))
    }

    pub(crate) fn count_error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Lets nothing count as a use any more.
    pub(crate) fn end(&self) {
        self.at_end.get_or_init(|| self.newest());
    }

    pub(crate) fn last(&self) -> Instant {
        self.at_end.get().copied().unwrap_or_else(|| self.newest())
    }

    /// When that was by the clock on the wall, as this was set at the beginning.
    pub(crate) fn last_on_wall(&self) -> SystemTime {
        self.since.wall_at(self.last())
    }

    fn newest(&self) -> Instant {
        // Whoever sees the last request gone sees its stamp, too.
        if self.requests.load(Ordering::Acquire) > 0 {
            return Instant::now();
        }
        self.since.at + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.record();
        self.0.requests.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_stamp_is_that_of_the_last_record() {
        let activity = Activity::new(Moment::now());

        tokio::time::advance(Duration::from_secs(3)).await;
        activity.record();
        let recorded = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;

        assert_eq!(activity.last(), recorded);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_a_use_after_the_end() {
        let activity = Arc::new(Activity::new(Moment::now()));
        let in_use = activity.begin();

        tokio::time::advance(Duration::from_secs(3)).await;
        activity.end();
        let end = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;
        activity.record();
        drop(in_use);
        activity.end();

        assert_eq!(activity.last(), end);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_in_use_as_long_as_a_request_is() {
        let activity = Arc::new(Activity::new(Moment::now()));
        let in_use = activity.begin();

        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(activity.last(), Instant::now());
        drop(in_use);
        let done = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;

        assert_eq!(activity.last(), done);
    }
}

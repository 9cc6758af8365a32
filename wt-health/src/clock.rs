use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A clock that is cheap to read, and as late as its last tick.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Nanoseconds since it began.
    now: AtomicU64,
    wanted: AtomicBool,
}

impl Clock {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            now: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
        }
    }

    pub(crate) fn tick(&self, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.now.store(since, Ordering::Relaxed);
    }

    /// The last tick.
    #[inline]
    pub(crate) fn read(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// How long after a tick that was read `now` is.
    pub(crate) fn since(&self, tick: u64, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.began);
        since.saturating_sub(Duration::from_nanos(tick))
    }

    /// Somebody reads it from now on; says whether nobody did before.
    pub(crate) fn want(&self) -> bool {
        !self.wanted.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }
}

/// How late the clock is at most.
pub(crate) const TICK: Duration = Duration::from_millis(125);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_late_as_its_last_tick() {
        let began = Instant::now();
        let clock = Clock::new(began);
        assert_eq!(clock.read(), 0);

        clock.tick(began + TICK);
        let read = clock.read();

        assert_eq!(read, 125_000_000);
        let later = began + TICK + Duration::from_secs(1);
        assert_eq!(clock.since(read, later), Duration::from_secs(1));
        assert_eq!(clock.since(read, began), Duration::ZERO);
    }
}

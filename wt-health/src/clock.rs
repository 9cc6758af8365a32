use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A clock that is cheap to read, and as late as its last tick. It sleeps while nobody reads it.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Nanoseconds since it began, or that it sleeps.
    now: AtomicU64,
    /// Whether somebody has read it since its last tick.
    read: AtomicBool,
}

impl Clock {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            now: AtomicU64::new(ASLEEP),
            read: AtomicBool::new(false),
        }
    }

    /// The last tick, unless it sleeps.
    #[inline]
    pub(crate) fn read(&self) -> Option<u64> {
        let now = self.now.load(Ordering::Relaxed);
        // Written once a tick, so that those who read do not disturb each other.
        if !self.read.load(Ordering::Relaxed) {
            self.read.store(true, Ordering::Relaxed);
        }
        (now != ASLEEP).then_some(now)
    }

    /// Gives the time, which it has from now on.
    pub(crate) fn wake(&self, now: Instant) -> u64 {
        let since = self.nanoseconds(now);
        self.now.store(since, Ordering::Relaxed);
        self.read.store(true, Ordering::Relaxed);
        since
    }

    /// Falls asleep if nobody has read it since the last time.
    pub(crate) fn tick(&self, now: Instant) {
        if !self.is_awake() {
            return;
        }
        let next = if self.read.swap(false, Ordering::Relaxed) {
            self.nanoseconds(now)
        } else {
            ASLEEP
        };
        self.now.store(next, Ordering::Relaxed);
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.now.load(Ordering::Relaxed) != ASLEEP
    }

    /// How long after a time that was read `now` is.
    pub(crate) fn since(&self, read: u64, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.began);
        since.saturating_sub(Duration::from_nanos(read))
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since).unwrap_or(ASLEEP - 1).min(ASLEEP - 1)
    }
}

/// How late the clock is at most while it is awake.
pub(crate) const TICK: Duration = Duration::from_millis(125);

const ASLEEP: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_late_as_its_last_tick() {
        let began = Instant::now();
        let clock = Clock::new(began);
        clock.wake(began + TICK);
        let read = clock.read().unwrap();

        assert_eq!(read, 125_000_000);
        let later = began + TICK + Duration::from_secs(1);
        assert_eq!(clock.since(read, later), Duration::from_secs(1));
        assert_eq!(clock.since(read, began), Duration::ZERO);
        clock.tick(began + 2 * TICK);
        assert_eq!(clock.read(), Some(250_000_000));
    }

    #[test]
    fn it_sleeps_while_nobody_reads_it() {
        let began = Instant::now();
        let clock = Clock::new(began);
        assert_eq!(clock.read(), None);
        clock.tick(began + TICK);
        assert!(!clock.is_awake());

        clock.wake(began + TICK);
        clock.tick(began + 2 * TICK);
        assert!(clock.is_awake());
        clock.tick(began + 3 * TICK);

        assert!(!clock.is_awake());
    }
}

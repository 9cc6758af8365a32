use std::time::Duration;

use tokio::time::Instant;

use crate::atomic::{AtomicBool, AtomicU64, Ordering};

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

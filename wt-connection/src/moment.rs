use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A point in time, by the clock that only goes forward and by that on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self {
            at: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// What the clock on the wall would say at `later`, were it set by nobody.
    pub(crate) fn wall_at(&self, later: Instant) -> SystemTime {
        let after = later.saturating_duration_since(self.at);
        self.wall.checked_add(after).unwrap_or(self.wall)
    }

    /// How long after `earlier` this is.
    pub(crate) fn since(&self, earlier: Self) -> Duration {
        self.at.saturating_duration_since(earlier.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_later_instant_is_as_much_later_on_the_wall() {
        let earlier = Moment::now();
        let later = Moment {
            at: earlier.at + SECOND,
            wall: earlier.wall + SECOND,
        };

        assert_eq!(earlier.wall_at(later.at), later.wall);
        assert_eq!(later.since(earlier), SECOND);
    }

    #[test]
    fn a_wall_clock_set_back_shortens_no_time() {
        let earlier = Moment::now();
        let now = Moment {
            at: earlier.at + SECOND,
            wall: earlier.wall - 100 * SECOND,
        };

        assert_eq!(now.since(earlier), SECOND);
    }

    #[test]
    fn no_time_passes_backwards() {
        let now = Moment::now();

        let later = Moment {
            at: now.at + SECOND,
            ..now
        };

        assert_eq!(now.since(later), Duration::ZERO);
        assert_eq!(later.wall_at(now.at), later.wall);
    }
}

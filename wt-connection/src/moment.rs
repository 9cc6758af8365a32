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

    /// What the clock on the wall would have said at `earlier`, had nobody set it since.
    pub(crate) fn wall_at(&self, earlier: Instant) -> SystemTime {
        let ago = self.at.saturating_duration_since(earlier);
        self.wall.checked_sub(ago).unwrap_or(self.wall)
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
    fn an_earlier_instant_is_as_much_earlier_on_the_wall() {
        let earlier = Moment::now();
        let now = Moment {
            at: earlier.at + SECOND,
            wall: earlier.wall + SECOND,
        };

        assert_eq!(now.wall_at(earlier.at), earlier.wall);
        assert_eq!(now.since(earlier), SECOND);
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
        assert_eq!(now.wall_at(later.at), now.wall);
    }
}

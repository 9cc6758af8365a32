use std::time::Duration;

use tokio::time::Instant;

/// When a target whose connects fail may be tried again.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// There while the target fails.
    not_before: Option<Instant>,
    /// How long the failure counts if nobody tries again: for as long again as the delay.
    remembered: Option<Instant>,
}

impl Pace {
    pub(crate) fn failed(&mut self, now: Instant, delay: Duration) {
        // A delay beyond what a clock can tell is never over.
        let far = now + FAR;
        self.not_before = Some(now.checked_add(delay).unwrap_or(far));
        self.remembered = Some(now.checked_add(delay.saturating_mul(2)).unwrap_or(far));
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Until when the target must not be forgotten.
    pub(crate) fn remembered(&self, now: Instant) -> Option<Instant> {
        self.remembered.filter(|remembered| *remembered > now)
    }

    /// How many connects may be under way: one at a time, as long as the target fails.
    pub(crate) fn at_once(&self, now: Instant, healthy: usize) -> usize {
        match self.not_before {
            None => healthy,
            Some(instant) => usize::from(instant <= now),
        }
    }
}

const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_fails_is_tried_one_connect_at_a_time_after_its_delay() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.at_once(now, 9), 9);

        pace.failed(now, SECOND);

        assert_eq!(pace.at_once(now, 9), 0);
        assert_eq!(pace.at_once(now + SECOND, 9), 1);
        assert_eq!(pace.not_before(), Some(now + SECOND));
        assert_eq!(pace.remembered(now + SECOND), Some(now + 2 * SECOND));
        assert_eq!(pace.remembered(now + 2 * SECOND), None);
    }

    #[test]
    fn success_ends_the_pace() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.failed(now, SECOND);

        pace.succeeded();

        assert_eq!(pace.at_once(now, 9), 9);
        assert_eq!(pace.not_before(), None);
    }

    #[test]
    fn a_delay_without_end_is_not_over_today() {
        let now = Instant::now();
        let mut pace = Pace::default();

        pace.failed(now, Duration::MAX);

        assert_eq!(pace.at_once(now + SECOND, 9), 0);
    }

    const SECOND: Duration = Duration::from_secs(1);
}

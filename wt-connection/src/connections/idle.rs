use std::time::Duration;

use tokio::time::Instant;

/// When a connection counts as idle, and when to look for such.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    /// `None`: never.
    pub(crate) timeout: Option<Duration>,
    pub(crate) check_interval: Duration,
}

impl Idle {
    /// Those that were last used longer ago than the timeout.
    pub(crate) fn find<C>(&self, now: Instant, used: impl Iterator<Item = (C, Instant)>) -> Vec<C> {
        let Some(timeout) = self.timeout else {
            return Vec::new();
        };
        used.filter(|(_, last)| now.saturating_duration_since(*last) > timeout)
            .map(|(connection, _)| connection)
            .collect()
    }

    /// When to look again after having `looked`; `None` if there is nothing to look for.
    pub(crate) fn next_look(&self, looked: Instant) -> Option<Instant> {
        self.timeout?;
        looked.checked_add(self.check_interval)
    }
}

impl Default for Idle {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(60)),
            check_interval: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_is_what_was_used_longer_ago_than_the_timeout() {
        let now = Instant::now() + MINUTE;
        let used = [("active", now), ("almost", now - MINUTE)];
        let long_ago = ("idle", now - MINUTE - Duration::from_nanos(1));

        let idle = Idle::default().find(now, used.into_iter().chain([long_ago]));

        assert_eq!(idle, ["idle"]);
    }

    #[test]
    fn what_was_used_since_we_looked_is_not_idle() {
        let now = Instant::now();

        let idle = Idle::default().find(now, [("newer", now + MINUTE)].into_iter());

        assert!(idle.is_empty());
    }

    #[test]
    fn it_is_looked_for_once_in_each_interval() {
        let now = Instant::now();

        assert_eq!(
            Idle::default().next_look(now),
            Some(now + Duration::from_secs(5))
        );
    }

    #[test]
    fn without_a_timeout_nothing_is_idle_or_looked_for() {
        let now = Instant::now() + MINUTE;
        let off = Idle {
            timeout: None,
            ..Idle::default()
        };

        assert!(off.find(now, [((), now - MINUTE)].into_iter()).is_empty());
        assert_eq!(off.next_look(now), None);
    }

    #[test]
    fn an_interval_without_end_is_never_over() {
        let forever = Idle {
            check_interval: Duration::MAX,
            ..Idle::default()
        };

        assert_eq!(forever.next_look(Instant::now()), None);
    }

    const MINUTE: Duration = Duration::from_secs(60);
}

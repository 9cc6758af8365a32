use std::time::Duration;

use tokio::time::Instant;

/// So long after `now`; far away, if there is no such time.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or_else(|| now + FAR)
}

const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_may_be_beyond_all_times() {
        let now = Instant::now();

        assert_eq!(later(now, Duration::ZERO), now);
        assert_eq!(later(now, Duration::MAX), now + FAR);
    }
}

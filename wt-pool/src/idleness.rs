use std::time::Duration;

use tokio::time::Instant;

/// Whether something has been left alone for too long.
///
/// An idle period begins when the last thing in flight ends, and ends with the next activity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idleness {
    in_flight: usize,
    last: Instant,
    /// The end of this idle period has been told already.
    told: bool,
}

/// What there is to be done about it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// In use, or told already: nothing until something happens.
    Wait,
    /// Look again then, unless something happens.
    Until(Instant),
    /// The limit has passed, for the first time in this period.
    Expired,
}

impl Idleness {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            in_flight: 0,
            last: now,
            told: false,
        }
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        self.in_flight += 1;
        self.record(now);
    }

    pub(crate) fn end(&mut self, now: Instant) {
        self.in_flight -= 1;
        self.record(now);
    }

    /// Something happened; the clock is monotonic, but who reads it may come late.
    pub(crate) fn record(&mut self, now: Instant) {
        self.last = self.last.max(now);
        self.told = false;
    }

    pub(crate) fn look(&mut self, limit: Duration, now: Instant) -> Verdict {
        if self.in_flight > 0 || self.told {
            return Verdict::Wait;
        }
        match self.last.checked_add(limit) {
            None => Verdict::Wait,
            Some(end) if end > now => Verdict::Until(end),
            Some(_) => {
                self.told = true;
                Verdict::Expired
            }
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn last(&self) -> Instant {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_passes_once_in_a_period() {
        let now = Instant::now();
        let mut idleness = Idleness::new(now);

        assert_eq!(idleness.look(LIMIT, now), Verdict::Until(now + LIMIT));
        assert_eq!(idleness.look(LIMIT, now + LIMIT), Verdict::Expired);
        assert_eq!(idleness.look(LIMIT, now + 2 * LIMIT), Verdict::Wait);
    }

    #[test]
    fn activity_begins_the_next_period() {
        let now = Instant::now();
        let mut idleness = Idleness::new(now);
        assert_eq!(idleness.look(LIMIT, now + LIMIT), Verdict::Expired);

        idleness.record(now + LIMIT);

        assert_eq!(idleness.look(LIMIT, now + 2 * LIMIT), Verdict::Expired);
    }

    #[test]
    fn what_is_in_flight_is_not_idle_however_long_it_takes() {
        let now = Instant::now();
        let mut idleness = Idleness::new(now);
        idleness.begin(now);
        idleness.begin(now);

        idleness.end(now);
        assert_eq!(idleness.look(LIMIT, now + 9 * LIMIT), Verdict::Wait);
        idleness.end(now + 9 * LIMIT);

        let end = now + 10 * LIMIT;
        assert_eq!(
            idleness.look(LIMIT, now + 9 * LIMIT),
            Verdict::Until(end),
            "the period begins when the last one ends"
        );
        assert_eq!(idleness.look(LIMIT, end), Verdict::Expired);
    }

    #[test]
    fn a_limit_without_end_never_passes() {
        let now = Instant::now();

        let verdict = Idleness::new(now).look(Duration::MAX, now + LIMIT);

        assert_eq!(verdict, Verdict::Wait);
    }

    #[test]
    fn a_reading_that_comes_late_does_not_turn_the_clock_back() {
        let now = Instant::now();
        let mut idleness = Idleness::new(now + LIMIT);

        idleness.record(now);

        assert_eq!(idleness.last(), now + LIMIT);
    }

    const LIMIT: Duration = Duration::from_secs(60);
}

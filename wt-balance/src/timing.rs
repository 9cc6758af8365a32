//! Which calls are timed: all, unless there are very many.

use crate::clock::Nanos;

/// When a call began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) at: Nanos,
    /// Or else it was at some time since then.
    pub(crate) exact: bool,
}

impl Since {
    pub(crate) fn exactly(at: Nanos) -> Self {
        Self { at, exact: true }
    }
}

/// The turns of one handle. Two looks at the clock are a third of what a call costs, and where
/// calls come by the hundred thousand in a second, one of a few tells as much as all of them.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    /// How many calls are not timed before the next one is; drawn with the first one.
    left: Option<u32>,
}

impl Timing {
    /// Whether the next call is timed, if so many are not, on average, after one that is.
    ///
    /// By chance, as calls may take turns among backends; also where each handle makes one.
    #[inline]
    pub(crate) fn is_due(&mut self, skips: u32) -> bool {
        if skips == 0 {
            return true;
        }
        let left = self.left.unwrap_or_else(|| fastrand::u32(..=skips));
        if left == 0 {
            self.left = Some(fastrand::u32(..=2 * skips));
            return true;
        }
        self.left = Some(left - 1);
        false
    }
}

/// How many calls are not timed after one that is, by how many were timed in this time while
/// `skips` were not.
pub(crate) fn skips(timed: u64, skips: u32, elapsed: u64) -> u32 {
    let calls = timed.saturating_mul(u64::from(skips) + 1);
    if calls > elapsed / SELDOM { SKIPS } else { 0 }
}

/// Not so many that a handle that is suddenly used less goes by old figures for long.
const SKIPS: u32 = 7;
/// The nanoseconds between two calls from which on all are timed: 5 us.
const SELDOM: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// Of calls that take turns among eight backends, the same one's were timed each time.
    #[test]
    fn one_of_a_few_calls_is_timed_whosever_turn_it_is() {
        fastrand::seed(1);
        let mut timing = Timing::default();

        let mut timed = [0; SKIPS as usize + 1];
        for n in 0..8 * 8000 {
            timed[n % 8] += u32::from(timing.is_due(SKIPS));
        }

        // A thousand each, give or take.
        assert!(timed.iter().all(|n| (800..1200).contains(n)), "{timed:?}");
    }

    /// Its first call was timed: all, where each is made by a clone.
    #[test]
    fn one_of_a_few_handles_times_its_first_call() {
        fastrand::seed(1);

        let due = |_: &u32| Timing::default().is_due(SKIPS);
        let timed = (0..8000).filter(due).count();

        assert!((800..1200).contains(&timed), "{timed}");
    }

    #[test]
    fn all_calls_are_timed_as_soon_as_there_are_few() {
        let mut timing = Timing::default();
        while !timing.is_due(SKIPS) {}

        let timed = (0..10).filter(|_| timing.is_due(0)).count();

        assert_eq!(timed, 10);
    }

    #[test]
    fn all_are_timed_unless_there_are_very_many() {
        assert_eq!(skips(0, 0, 10 * MILLISECOND), 0);
        assert_eq!(skips(2000, 0, 10 * MILLISECOND), 0);
        assert_eq!(skips(2001, 0, 10 * MILLISECOND), SKIPS);
        assert_eq!(skips(2001, 0, 20 * MILLISECOND), 0);
        // As many as before: seven of eight were not timed.
        assert_eq!(skips(251, SKIPS, 10 * MILLISECOND), SKIPS);
        assert_eq!(skips(250, SKIPS, 10 * MILLISECOND), 0);
        assert_eq!(skips(u64::MAX, SKIPS, 0), SKIPS);
    }
}

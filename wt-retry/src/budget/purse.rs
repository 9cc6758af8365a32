//! A budget's arithmetic, in millionths of a retry.

use std::time::Duration;

/// One retry.
pub(crate) const RETRY: u64 = 1_000_000;

/// What may still be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purse(pub(crate) u64);

impl Purse {
    /// As much as so many retries cost.
    pub(crate) fn of(retries: u32) -> Self {
        Self(u64::from(retries) * RETRY)
    }

    /// Puts `amount` in, as far as there is room below `limit`.
    pub(crate) fn put(&mut self, amount: u64, limit: Self) {
        self.0 = self.0.saturating_add(amount).min(limit.0);
    }

    /// Takes `amount` out if all of it is there.
    pub(crate) fn take(&mut self, amount: u64) -> bool {
        let left = self.0.checked_sub(amount);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Takes out what is there of `amount`.
    pub(crate) fn lose(&mut self, amount: u64) {
        self.0 = self.0.saturating_sub(amount);
    }
}

/// When the next retry may be made on an empty purse, in nanoseconds since the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor(pub(crate) u64);

impl Floor {
    /// Takes one of the `per_second` retries that each second has.
    ///
    /// Those that a second does not use are lost.
    pub(crate) fn take(&mut self, per_second: u32, now: Duration) -> bool {
        let Some(interval) = SECOND.checked_div(u64::from(per_second)) else {
            return false;
        };
        let now = nanoseconds(now);
        let lost = now.saturating_add(interval).saturating_sub(SECOND);
        let next = self.0.max(lost);
        if next > now {
            return false;
        }
        self.0 = next.saturating_add(interval.max(1));
        true
    }

    /// Whether a retry may be made at once, as with a new one.
    pub(crate) fn is_as_new(self, now: Duration) -> bool {
        self.0 <= nanoseconds(now)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn taken(floor: &mut Floor, per_second: u32, now: Duration) -> usize {
        (0..1000).filter(|_| floor.take(per_second, now)).count()
    }

    #[test]
    fn a_purse_gives_what_was_put_in_and_no_more() {
        let mut purse = Purse(0);

        for _ in 0..9 {
            purse.put(RETRY / 10, Purse::of(100));
            assert!(!purse.take(RETRY));
        }
        purse.put(RETRY / 10, Purse::of(100));

        assert!(purse.take(RETRY));
        assert!(!purse.take(RETRY));
    }

    #[test]
    fn a_full_purse_takes_nothing_in() {
        let mut purse = Purse::of(2);

        purse.put(RETRY, Purse::of(2));

        assert_eq!(purse, Purse::of(2));
    }

    #[test]
    fn a_floor_gives_so_many_a_second_and_saves_none() {
        let mut floor = Floor(0);

        assert_eq!(taken(&mut floor, 10, 5000 * MILLISECOND), 10);
        assert_eq!(taken(&mut floor, 10, 5099 * MILLISECOND), 0);
        assert_eq!(taken(&mut floor, 10, 5100 * MILLISECOND), 1);
        assert_eq!(taken(&mut floor, 10, 9000 * MILLISECOND), 10);
    }

    #[test]
    fn a_floor_is_as_new_once_its_next_retry_is_there() {
        let mut floor = Floor(0);
        let now = 5000 * MILLISECOND;

        assert!(floor.is_as_new(Duration::ZERO));
        assert_eq!(taken(&mut floor, 10, now), 10);
        assert!(!floor.is_as_new(now + 99 * MILLISECOND));
        assert!(floor.is_as_new(now + 100 * MILLISECOND));
    }

    #[test]
    fn a_floor_of_nothing_gives_nothing() {
        assert_eq!(taken(&mut Floor(0), 0, Duration::MAX), 0);
    }

    proptest! {
        #[test]
        fn a_purse_never_gives_more_than_it_got(
            burst in 0..5u32,
            amount in 0..2 * RETRY,
            steps in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let mut purse = Purse::of(burst);
            let (mut got, mut gave) = (u128::from(purse.0), 0);

            for put in steps {
                if put {
                    purse.put(amount, Purse::of(burst));
                    got += u128::from(amount);
                } else if purse.take(RETRY) {
                    gave += u128::from(RETRY);
                }
                prop_assert!(gave <= got);
                prop_assert!(purse.0 <= Purse::of(burst).0);
            }
        }

        #[test]
        fn a_floor_gives_no_more_than_twice_its_share_in_any_second(
            per_second in 1..50u32,
            steps in prop::collection::vec(0..300u32, 1..300),
        ) {
            let mut floor = Floor(0);
            let (mut now, mut times) = (Duration::ZERO, Vec::new());

            for step in steps {
                now += step * MILLISECOND;
                if floor.take(per_second, now) {
                    times.push(now);
                }
                let second = times.iter().filter(|time| **time + Duration::from_secs(1) > now);
                prop_assert!(second.count() <= 2 * per_second as usize);
            }
        }
    }
}

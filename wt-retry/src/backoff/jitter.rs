use std::time::Duration;

use fastrand::Rng;

/// How the delays of an [`Exponential`](super::Exponential) are spread at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all: calls that failed together come back together.
    None,
    /// Evenly between nothing and the delay. The default: it spreads most.
    #[default]
    Full,
    /// Evenly between half of the delay and the delay.
    Equal,
    /// Evenly between the base and three times the delay before, up to the cap; the factor plays no
    /// part.
    Decorrelated,
}

/// Draws evenly between two durations.
pub(crate) fn between(from: Duration, to: Duration, rng: &mut Rng) -> Duration {
    let span = to.saturating_sub(from);
    from + span.mul_f64(rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_fill_their_range_and_do_not_leave_it() {
        let (from, to) = (Duration::from_secs(2), Duration::from_secs(4));
        let mut rng = Rng::with_seed(3);

        let draws: Vec<_> = (0..1000).map(|_| between(from, to, &mut rng)).collect();

        assert!(draws.iter().all(|draw| (from..to).contains(draw)));
        assert!(draws.iter().any(|draw| *draw < Duration::from_millis(2010)));
        assert!(draws.iter().any(|draw| *draw > Duration::from_millis(3990)));
    }

    #[test]
    fn an_empty_range_has_one_draw() {
        let only = Duration::from_secs(2);

        assert_eq!(between(only, only, &mut Rng::with_seed(3)), only);
    }
}

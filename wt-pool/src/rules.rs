use std::time::Duration;

use tokio::time::Instant;

/// What a pool is told once and for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) shared: bool,
    pub(crate) max_connections: usize,
    pub(crate) max_total: Option<usize>,
    pub(crate) max_waiters: usize,
    pub(crate) acquire_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) sweep_interval: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_uses: Option<u64>,
    pub(crate) min_idle: usize,
    pub(crate) connects_at_once: Option<usize>,
}

impl Rules {
    pub(crate) fn new(max_connections: usize) -> Self {
        Self {
            shared: false,
            max_connections,
            max_total: None,
            max_waiters: 1024,
            acquire_timeout: Some(Duration::from_secs(30)),
            idle_timeout: Some(Duration::from_secs(300)),
            sweep_interval: Duration::from_secs(60),
            max_lifetime: None,
            max_uses: None,
            min_idle: 0,
            connects_at_once: None,
        }
    }

    pub(crate) fn connects_at_once(&self) -> usize {
        let by_mode = if self.shared { 1 } else { usize::MAX };
        self.connects_at_once.unwrap_or(by_mode)
    }

    /// How often it is looked whether shared connections are in use: no clock is read when one is
    /// lent or comes back, so that one may be idle for an eighth longer than it should.
    pub(crate) fn look_interval(&self) -> Duration {
        self.idle_timeout
            .map_or(self.sweep_interval, |idle| idle / 8)
            .max(Duration::from_millis(1))
            .min(self.sweep_interval)
            .min(RARELY)
    }

    /// When a connection made now has lived long enough; `random` is in 0..1, and moves it by up to
    /// a tenth, so that connections made together do not end together.
    pub(crate) fn end_of_life(&self, now: Instant, random: f64) -> Option<Instant> {
        let lifetime = self.max_lifetime?;
        let jitter = lifetime.mul_f64(0.2).mul_f64(random);
        (lifetime - lifetime / 10)
            .checked_add(jitter)
            .and_then(|lifetime| now.checked_add(lifetime))
    }
}

/// Often enough for whatever has no other limit, and what any clock can tell.
const RARELY: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_spread_over_a_tenth_on_either_side() {
        let now = Instant::now();
        let mut rules = Rules::new(1);
        assert_eq!(rules.end_of_life(now, 0.5), None);

        rules.max_lifetime = Some(Duration::from_secs(100));

        let seconds = |random| (rules.end_of_life(now, random).unwrap() - now).as_secs_f64();
        assert_eq!(seconds(0.0), 90.0);
        assert_eq!(seconds(0.5), 100.0);
        assert!((109.9..110.0).contains(&seconds(0.999)));
    }

    #[test]
    fn a_lifetime_without_end_has_none() {
        let mut rules = Rules::new(1);
        rules.max_lifetime = Some(Duration::MAX);

        assert_eq!(rules.end_of_life(Instant::now(), 0.9), None);
    }

    #[test]
    fn one_connect_at_a_time_if_shared_and_one_for_each_if_not() {
        let mut rules = Rules::new(1);
        assert_eq!(rules.connects_at_once(), usize::MAX);

        rules.shared = true;
        assert_eq!(rules.connects_at_once(), 1);

        rules.connects_at_once = Some(3);
        assert_eq!(rules.connects_at_once(), 3);
    }

    #[test]
    fn shared_connections_are_looked_at_at_least_as_often_as_all_are_swept() {
        let mut rules = Rules::new(1);
        assert_eq!(rules.look_interval(), Duration::from_millis(37_500));

        rules.idle_timeout = None;
        assert_eq!(rules.look_interval(), rules.sweep_interval);

        rules.sweep_interval = Duration::MAX;
        assert!(Instant::now().checked_add(rules.look_interval()).is_some());

        rules.sweep_interval = Duration::from_micros(10);
        assert_eq!(rules.look_interval(), Duration::from_micros(10));
    }
}

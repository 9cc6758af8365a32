use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tower::BoxError;
use tower_service::Service;

use crate::probe::Initial;

/// What is probed, how often, and what follows from it.
///
/// ```
/// use std::time::Duration;
///
/// use wt_health::Monitor;
/// use wt_health::probe::{Probes, TcpConnect};
///
/// # #[tokio::main]
/// # async fn main() {
/// let probes = Probes::new(TcpConnect::new()).interval(Duration::from_secs(10));
/// let monitor = Monitor::<std::net::SocketAddr>::builder().probes(probes).build();
/// # }
/// ```
pub struct Probes<K> {
    pub(crate) probe: Probe<K>,
    pub(crate) rules: Rules,
}

/// Begins a probe of one backend.
pub(crate) type Probe<K> = Arc<dyn Fn(K) -> Probing + Send + Sync>;

type Probing = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// When to probe, and what follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    pub(crate) interval: Duration,
    pub(crate) fast_interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) jitter: f64,
    pub(crate) rise: u32,
    pub(crate) fall: u32,
    pub(crate) at_once: usize,
    pub(crate) unused: Option<Duration>,
    pub(crate) initial: Initial,
}

impl<K: Send + 'static> Probes<K> {
    /// Probes by any service that takes a backend's key; each probe is a call of a clone of it.
    ///
    /// The wait for its readiness is part of the probe. A service that takes something else becomes
    /// one by tower's `ServiceExt::map_request`.
    #[must_use]
    pub fn new<S>(service: S) -> Self
    where
        S: Service<K, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    {
        Self::from_fn(move |key| {
            let mut service = service.clone();
            async move {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                service.call(key).await.map(drop)
            }
        })
    }

    /// Probes by a closure that takes a backend's key.
    #[must_use]
    pub fn from_fn<F, Fut, R, E>(probe: F) -> Self
    where
        F: Fn(K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let probe = Arc::new(move |key| -> Probing {
            let probing = probe(key);
            Box::pin(async move { probing.await.map(drop).map_err(Into::into) })
        });
        let rules = Rules::default();
        Self { probe, rules }
    }
}

impl<K> Probes<K> {
    /// Sets how often each backend is probed. Default: 30 s.
    ///
    /// # Panics
    ///
    /// Panics if `interval` is zero.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        assert!(!interval.is_zero(), "{NO_TIME}");
        self.rules.interval = interval;
        self
    }

    /// Sets how often it is probed after a change: until as many probes in a row have said the same
    /// as the greater one of [`rise`](Self::rise) and [`fall`](Self::fall). Default: 1 s.
    ///
    /// A change is a backend that is new, a probe that says something else than the last one, an
    /// ejection.
    ///
    /// # Panics
    ///
    /// Panics if `fast_interval` is zero.
    #[must_use]
    pub fn fast_interval(mut self, fast_interval: Duration) -> Self {
        assert!(!fast_interval.is_zero(), "{NO_TIME}");
        self.rules.fast_interval = fast_interval;
        self
    }

    /// Sets after how long a probe has failed. Default: 5 s.
    ///
    /// # Panics
    ///
    /// Panics if `timeout` is zero.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        assert!(!timeout.is_zero(), "{NO_TIME}");
        self.rules.timeout = timeout;
        self
    }

    /// Sets by which share each interval is longer or shorter, by chance, so that neither many
    /// backends nor many clients are probed, or probe, together. Default: 0.1.
    ///
    /// # Panics
    ///
    /// Panics if it is not between 0 and 1.
    #[must_use]
    pub fn jitter(mut self, jitter: f64) -> Self {
        assert!((0.0..=1.0).contains(&jitter), "a share is between 0 and 1");
        self.rules.jitter = jitter;
        self
    }

    /// Sets how many probes in a row have to succeed for the backend to be up. Default: 2.
    ///
    /// # Panics
    ///
    /// Panics if `rise` is 0.
    #[must_use]
    pub fn rise(mut self, rise: u32) -> Self {
        assert!(rise > 0, "no probe says nothing");
        self.rules.rise = rise;
        self
    }

    /// Sets how many probes in a row have to fail for the backend to be down. Default: 3.
    ///
    /// # Panics
    ///
    /// Panics if `fall` is 0.
    #[must_use]
    pub fn fall(mut self, fall: u32) -> Self {
        assert!(fall > 0, "no probe says nothing");
        self.rules.fall = fall;
        self
    }

    /// Sets how many probes are under way at once, those of all backends together. Default: 64.
    /// Others wait for their turn, the one that is due for longest first.
    ///
    /// # Panics
    ///
    /// Panics if `at_once` is 0.
    #[must_use]
    pub fn at_once(mut self, at_once: usize) -> Self {
        assert!(at_once > 0, "no probe would ever be made");
        self.rules.at_once = at_once;
        self
    }

    /// Sets after how long without calls a backend is no longer probed, until it is called again.
    /// Default: 10 minutes; `None` is never.
    ///
    /// Calls are noticed at the end of each [interval](crate::outlier::Outlier::interval). A
    /// backend that is out of rotation has no calls, and is probed nevertheless.
    #[must_use]
    pub fn unused(mut self, unused: Option<Duration>) -> Self {
        self.rules.unused = unused;
        self
    }

    /// Sets what a backend is before its first probes. Default: [`Initial::Up`].
    #[must_use]
    pub fn initial(mut self, initial: Initial) -> Self {
        self.rules.initial = initial;
        self
    }
}

impl Rules {
    /// How long after the last one the next probe is due; `random` is between 0 and 1.
    pub(crate) fn wait(&self, settled: bool, random: f64) -> Duration {
        let interval = if settled {
            self.interval
        } else {
            self.fast_interval.min(self.interval)
        };
        let share = 1.0 + self.jitter * (2.0 * random - 1.0);
        // An interval beyond all bounds stays as it is.
        Duration::try_from_secs_f64(interval.as_secs_f64() * share).unwrap_or(interval)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            jitter: 0.1,
            rise: 2,
            fall: 3,
            at_once: 64,
            unused: Some(Duration::from_secs(600)),
            initial: Initial::Up,
        }
    }
}

impl<K> Clone for Probes<K> {
    fn clone(&self) -> Self {
        Self {
            probe: Arc::clone(&self.probe),
            rules: self.rules,
        }
    }
}

impl<K> fmt::Debug for Probes<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

const NO_TIME: &str = "a probe takes time";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_longer_or_shorter_by_a_share() {
        let rules = Rules::default();

        let waits = [0.0, 0.5, 1.0].map(|random| rules.wait(true, random).as_secs_f64());

        assert_eq!(waits, [27.0, 30.0, 33.0]);
        assert_eq!(rules.wait(false, 0.5), Duration::from_secs(1));
    }

    #[test]
    fn no_interval_is_shorter_than_the_fast_one() {
        let rules = Rules {
            interval: Duration::from_millis(100),
            ..Rules::default()
        };

        assert_eq!(rules.wait(false, 0.5), rules.wait(true, 0.5));
    }

    #[test]
    fn an_interval_may_be_beyond_all_bounds() {
        let rules = Rules {
            interval: Duration::MAX,
            ..Rules::default()
        };

        assert_eq!(rules.wait(true, 1.0), Duration::MAX);
    }
}

use std::time::Duration;

use crate::backends::Backends;

/// The figures of a balancer's backends, and in all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot<K> {
    /// Each backend that is known, in the order of arrival.
    pub backends: Vec<BackendSnapshot<K>>,
    /// How many are known.
    pub known: usize,
    /// How many are ready, as far as is known.
    pub ready: usize,
    /// How many fail, as [below](BackendSnapshot::failing).
    pub failing: usize,
    /// How many are gone: of no use until they are brought back.
    pub gone: usize,
    /// How many are used: not gone, of this client's subset, and with a weight.
    pub used: usize,
    /// Calls that are not complete, on backends that have been removed, too.
    pub in_flight: usize,
    /// Calls that were given to the backends that are known.
    pub calls: u64,
    /// How many of these failed.
    pub failures: u64,
}

/// The figures of one backend, since it is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendSnapshot<K> {
    /// What it is known by.
    pub key: K,
    /// Its weight, as it was set.
    pub weight: u32,
    /// Its priority; 0 comes first.
    pub priority: u8,
    /// The time it takes to answer, by its average as it is now; `None` until it has answered.
    pub latency: Option<Duration>,
    /// Calls that are not complete.
    pub in_flight: usize,
    /// Calls that it was given.
    pub calls: u64,
    /// How many of these failed.
    pub failures: u64,
    /// Its share of all calls, from 0 to 1.
    pub share: f64,
    /// Whether it was ready when it was asked last, and has not asked to be left alone.
    pub ready: bool,
    /// Whether its last three calls have failed, or it fails so often that any other is better.
    pub failing: bool,
    /// Whether its service has failed for good, and has not been made anew.
    pub gone: bool,
    /// Whether calls may go to it: it is not gone, of this client's subset, and has a weight.
    pub used: bool,
}

impl<K> Snapshot<K> {
    /// Of no backends.
    pub(crate) fn empty() -> Self {
        Self::sum(Vec::new(), 0)
    }

    pub(crate) fn of<S>(set: &Backends<K, S>) -> Self
    where
        K: Clone,
    {
        let members = set.members();
        let now = set.common.now();
        let backends: Vec<_> = members
            .known
            .iter()
            .map(|backend| {
                let stats = &backend.stats;
                let gone = backend.is_gone();
                BackendSnapshot {
                    key: K::clone(&backend.key),
                    weight: stats.weight(),
                    priority: stats.priority,
                    latency: stats.latency(now),
                    in_flight: stats.calls.in_flight() as usize,
                    calls: stats.calls.calls(),
                    failures: stats.failures(),
                    share: 0.0,
                    ready: !gone && stats.rest.is_over(now.0),
                    failing: stats.has_failed() || stats.is_failing(now),
                    gone,
                    used: members.slot(stats.id).is_some(),
                }
            })
            .collect();
        Self::sum(backends, set.in_flight())
    }

    fn sum(mut backends: Vec<BackendSnapshot<K>>, in_flight: usize) -> Self {
        let calls = backends.iter().map(|backend| backend.calls).sum::<u64>();
        for backend in &mut backends {
            // Of none, each has none.
            backend.share = backend.calls as f64 / calls.max(1) as f64;
        }
        let count = |is: fn(&BackendSnapshot<K>) -> bool| {
            backends.iter().filter(|backend| is(backend)).count()
        };
        Self {
            known: backends.len(),
            ready: count(|backend| backend.ready),
            failing: count(|backend| backend.failing),
            gone: count(|backend| backend.gone),
            used: count(|backend| backend.used),
            in_flight,
            calls,
            failures: backends.iter().map(|backend| backend.failures).sum(),
            backends,
        }
    }
}

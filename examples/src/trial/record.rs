use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What happens while the example runs.
#[derive(Clone)]
pub(crate) struct Record {
    began: Instant,
    told: Arc<Mutex<Told>>,
}

/// What has happened so far.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) calls: Vec<Call>,
    /// What befell servers, and when.
    pub(crate) events: Vec<(Duration, String)>,
    /// Why calls have failed, and how many.
    pub(crate) failures: BTreeMap<String, usize>,
}

/// How one call went.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// When it was due.
    pub(crate) at: Duration,
    /// How long after that it was answered.
    pub(crate) took: Duration,
    pub(crate) ok: bool,
}

impl Record {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            told: Arc::default(),
        }
    }

    /// A call that was due then is over now; `failure` says why it failed if it has.
    pub(crate) fn call(&self, due: Instant, failure: Option<String>) {
        let call = Call {
            at: due - self.began,
            took: due.elapsed(),
            ok: failure.is_none(),
        };
        let mut told = self.lock();
        told.calls.push(call);
        if let Some(failure) = failure {
            *told.failures.entry(failure).or_default() += 1;
        }
    }

    pub(crate) fn event(&self, event: String) {
        let at = self.began.elapsed();
        self.lock().events.push((at, event));
    }

    pub(crate) fn told(&self) -> Told {
        self.lock().clone()
    }

    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub(crate) fn failed(&self) -> usize {
        self.calls.iter().filter(|call| !call.ok).count()
    }

    /// How long calls took that were due from one time to another, the shortest first.
    pub(crate) fn latencies(&self, from: Duration, to: Duration) -> Vec<Duration> {
        let calls = self.calls.iter();
        let then = calls.filter(|call| (from..to).contains(&call.at));
        let mut took: Vec<_> = then.map(|call| call.took).collect();
        took.sort_unstable();
        took
    }
}

/// What so great a share of sorted latencies does not exceed; nothing of none.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied()
}

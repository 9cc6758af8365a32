//! Bringing back backends whose services have failed for good, where there is a maker.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::backends::Backends;
use crate::clock::Nanos;
use crate::lock::Lock;

/// Who is to be made anew, and whether a task sees to it.
#[derive(Debug, Default)]
pub(crate) struct Mender(Lock<Due>);

#[derive(Debug, Default)]
struct Due {
    /// By the number of the backend.
    at: BTreeMap<u64, Nanos>,
    /// Whether there is a task.
    begun: bool,
}

impl Mender {
    /// A backend is gone, which has been made anew so many times without success.
    pub(crate) fn add(&self, id: u64, times: u32, now: Nanos) {
        let wait = FIRST.saturating_mul(1 << times.min(16)).min(LONGEST);
        self.0.lock().at.insert(id, now.after(wait));
    }

    pub(crate) fn remove(&self, id: u64) {
        self.0.lock().at.remove(&id);
    }

    /// Those that are due, and for how long the others are not; `None` if there are no others.
    fn due(&self, now: Nanos) -> (Vec<u64>, Option<Duration>) {
        let due = self.0.lock();
        let ids = due.at.iter().filter(|(_, at)| **at <= now);
        let ids = ids.map(|(id, _)| *id).collect();
        let others = due.at.values().filter(|at| **at > now).min();
        let wait = others.map(|at| Duration::from_nanos(at.since(now)));
        (ids, wait)
    }

    /// Says whether a task is to begin: there is something to do, and none.
    fn begin(&self) -> bool {
        let mut due = self.0.lock();
        !due.at.is_empty() && !std::mem::replace(&mut due.begun, true)
    }

    /// Says whether the task ends: there is nothing to do.
    fn end_if_done(&self) -> bool {
        let mut due = self.0.lock();
        due.begun = !due.at.is_empty();
        !due.begun
    }

    fn is_orphaned(&self) -> bool {
        let due = self.0.lock();
        !due.at.is_empty() && !due.begun
    }
}

/// Sees to it that those who are gone have services made anew, in a task if there is none yet.
///
/// It is called through a pointer, so that to call a balancer does not take what this needs.
pub(crate) fn bring_back<K, S>(backends: &Backends<K, S>)
where
    K: Send + Sync + 'static,
    S: Send + 'static,
{
    if !backends.mender.is_orphaned() {
        return;
    }
    // Without a runtime, that has to wait for somebody who has one.
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    if backends.mender.begin() {
        let task = Task {
            backends: Weak::clone(&backends.this),
            ended: false,
        };
        let gone = backends.gone.clone();
        runtime.spawn(async move { gone.run_until_cancelled(mend(task)).await });
    }
}

async fn mend<K, S>(mut task: Task<K, S>) {
    loop {
        let Some(backends) = task.backends.upgrade() else {
            return;
        };
        // From here on, another that is lost is noticed.
        let changed = Arc::clone(&backends.changes).notified_owned();
        let (due, wait) = backends.mender.due(backends.common.now());
        backends.renew(&due);
        task.ended = backends.mender.end_if_done();
        if task.ended {
            return;
        }
        drop(backends);
        let _ = timeout(wait.unwrap_or(FIRST), changed).await;
    }
}

/// If its runtime ends, another may begin where it was.
struct Task<K, S> {
    backends: Weak<Backends<K, S>>,
    ended: bool,
}

impl<K, S> Drop for Task<K, S> {
    fn drop(&mut self) {
        if let Some(backends) = self.backends.upgrade().filter(|_| !self.ended) {
            backends.mender.0.lock().begun = false;
        }
    }
}

/// `None` if it panics: that is to harm no other.
pub(crate) fn make<S>(maker: impl FnOnce() -> S) -> Option<S> {
    catch_unwind(AssertUnwindSafe(maker)).ok()
}

/// How long a backend is gone at least.
const FIRST: Duration = Duration::from_millis(100);
/// How long it is gone at most, if it goes again and again.
const LONGEST: Duration = Duration::from_secs(10);

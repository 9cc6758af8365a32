//! Bringing back backends whose services have failed for good, where there is a maker.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::backends::Backends;
use crate::stats::Stats;

/// Has the service of a backend that is gone made anew after a while.
///
/// It is called through a pointer, so that to call a balancer does not take what this needs.
pub(crate) fn bring_back<K, S>(backends: &Backends<K, S>, stats: &Arc<Stats>)
where
    K: Send + Sync + 'static,
    S: Send + 'static,
{
    let times = stats.remade.fetch_add(1, Ordering::Relaxed);
    let wait = FIRST.saturating_mul(1 << times.min(16)).min(LONGEST);
    // Who polls without a runtime cannot be helped: nothing but the list brings it back then.
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let (this, id) = (Weak::clone(&backends.this), stats.id);
    let gone = backends.gone.clone();
    let renewed = async move {
        sleep(wait).await;
        if let Some(backends) = this.upgrade() {
            backends.renew(id);
        }
    };
    runtime.spawn(async move { gone.run_until_cancelled(renewed).await });
}

/// How long a backend is gone at least.
const FIRST: Duration = Duration::from_millis(100);
/// How long it is gone at most, if it goes again and again.
const LONGEST: Duration = Duration::from_secs(10);

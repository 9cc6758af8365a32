//! Bringing back backends whose services have failed for good, where there is a maker.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::backend::Backend;
use crate::backends::Backends;

/// Has the service of a backend that is gone made anew after a while.
///
/// It is called through a pointer, so that to call a balancer does not take what this needs.
pub(crate) fn bring_back<K, S>(backends: &Backends<K, S>, backend: &Backend<K, S>)
where
    K: Eq + Hash + fmt::Debug + Send + Sync + 'static,
    S: Clone + Send + 'static,
{
    let times = backend.stats.remade.fetch_add(1, Ordering::Relaxed);
    let wait = FIRST.saturating_mul(1 << times.min(16)).min(LONGEST);
    // Who polls without a runtime cannot be helped: nothing but the list brings it back then.
    if let Ok(runtime) = Handle::try_current() {
        let gone = backends.gone.clone();
        let mended = mend(Weak::clone(&backends.this), Arc::clone(&backend.key), wait);
        runtime.spawn(async move { gone.run_until_cancelled(mended).await });
    }
}

async fn mend<K, S>(backends: Weak<Backends<K, S>>, key: Arc<K>, wait: Duration)
where
    K: Eq + Hash + fmt::Debug,
    S: Clone,
{
    sleep(wait).await;
    let Some(backends) = backends.upgrade() else {
        return;
    };
    if let Some(maker) = &backends.maker {
        let service = maker(&key);
        if backends.renew(&key, &service) {
            tracing::debug!(backend = ?key, "backend made anew");
        }
    }
}

/// How long a backend is gone at least.
const FIRST: Duration = Duration::from_millis(100);
/// How long it is gone at most, if it goes again and again.
const LONGEST: Duration = Duration::from_secs(10);

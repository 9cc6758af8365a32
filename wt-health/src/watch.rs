use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::core::Core;
use crate::entry::Entry;
use crate::event::Reason;
use crate::fleet::{Phase, Record};
use crate::force::Override;
use crate::handle::Handle;
use crate::probe::ProbeError;

/// A long-running watch of one backend, made by [`Monitor::watch`](crate::Monitor::watch): a future
/// that is ready when the backend is no longer well, and says why.
///
/// As long as it lives, somebody has the backend: it is probed, whether there is a layer for it or
/// not, and whether it is called or not.
#[must_use = "futures do nothing unless polled"]
pub struct Watch {
    ended: Pin<Box<dyn Future<Output = Ended> + Send>>,
    handle: Arc<Handle>,
}

/// Why a [`Watch`] ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// So many probes in a row have failed that the backend is down; this is why the last one did.
    #[error("its probes fail")]
    Down(#[source] Arc<ProbeError>),
    /// Its calls had it ejected, or its probes, where they do.
    #[error("it was ejected")]
    #[non_exhaustive]
    Ejected {
        /// Why.
        reason: Reason,
        /// When it may prove itself at the earliest; `None` if only its probes can.
        until: Option<Instant>,
    },
    /// An operator took it out of rotation.
    #[error("it was taken out of rotation")]
    Overridden(Override),
    /// It was removed from the monitor.
    #[error("it was removed")]
    Removed,
    /// The monitor's task has ended, with its runtime or since the code of a key has panicked:
    /// nobody judges any more.
    #[error("nobody judges any more")]
    Stopped,
}

impl Watch {
    pub(crate) fn new<K>(core: &Core<K>, entry: Arc<Entry<K>>, handle: Arc<Handle>) -> Self
    where
        K: Send + Sync + 'static,
    {
        let mut receiver = entry.ended.subscribe();
        // What is told later may have happened before.
        let since = core.changes();
        let already = core.look(|fleet| {
            if fleet.is_halted() {
                return Some(Ended::Stopped);
            }
            let had = |record: &&Record<_>| record.holders.has(handle.number);
            match fleet.get(handle.cell().id).filter(had) {
                Some(record) => already(record),
                // Since it was held.
                None => Some(Ended::Removed),
            }
        });
        let ended = async move {
            if let Some(already) = already {
                return already;
            }
            let is_later = |ended: &Option<(u64, Ended)>| {
                let number = ended.as_ref().map(|(number, _)| *number);
                number.is_some_and(|number| number > since)
            };
            let ended = match receiver.wait_for(is_later).await {
                Ok(ended) => ended.as_ref().map(|(_, ended)| ended.clone()),
                Err(_) => None,
            };
            // The entry is held, so that nothing else ends it.
            drop(entry);
            ended.unwrap_or(Ended::Removed)
        };
        core.act(|fleet, actions| fleet.watch(handle.cell().id, Instant::now(), actions));
        Self {
            ended: Box::pin(ended),
            handle,
        }
    }
}

impl Future for Watch {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.ended.as_mut().poll(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.judge.unwatch(self.handle.cell().id);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// Why there is nothing to watch, if the backend is not well to begin with.
fn already<T>(record: &Record<T>) -> Option<Ended> {
    if let Some(force @ (Override::Down | Override::Drain)) = record.force {
        return Some(Ended::Overridden(force));
    }
    if record.is_down() {
        return record.error.clone().map(Ended::Down);
    }
    let (reason, until) = match record.phase {
        Phase::Ejected(ejection) => (ejection.reason, Some(ejection.until)),
        _ => return None,
    };
    Some(Ended::Ejected { reason, until })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::timeout;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;
    use crate::fleet::Rules;

    /// Nobody would tell it of that any more.
    #[tokio::test(start_paused = true)]
    async fn it_ends_if_the_backend_was_removed_while_it_began() {
        let core = Core::new(Rules::default());
        let alive = Arc::new(AbortOnDropHandle::new(tokio::spawn(pending())));
        for again in [false, true] {
            let (entry, handle) = core.hold(&"a", &alive);
            core.retire(&entry);
            let _other = again.then(|| core.hold(&"a", &alive));

            let watch = Watch::new(&core, entry, handle);

            let ended = timeout(Duration::from_secs(1), watch).await;
            assert!(matches!(ended, Ok(Ended::Removed)), "{ended:?}");
        }
    }
}

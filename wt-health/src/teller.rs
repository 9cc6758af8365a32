//! Tells what has happened: to those who subscribed, to those who watch, and to `tracing`.

use std::fmt::Debug;
use std::mem;
use std::sync::Arc;

use tokio::sync::broadcast::Sender;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::entry::Entry;
use crate::event::Event;
use crate::fleet::Change;
use crate::force::Override;
use crate::watch::Ended;

pub(crate) fn tell<K: Clone + Debug>(
    events: &Sender<Arc<Event<K>>>,
    number: u64,
    change: &Change<Arc<Entry<K>>>,
) {
    trace(change);
    end_watches(number, change);
    // Keys are cloned for those only who hear of them.
    if events.receiver_count() > 0 {
        // Nobody need be there any more.
        let _ = event(change).map(|event| events.send(Arc::new(event)));
    }
}

/// Ends the watches that end by this change, unless a later one has.
pub(crate) fn end_watches<K>(number: u64, change: &Change<Arc<Entry<K>>>) {
    let Some((entry, ended)) = ended(change) else {
        return;
    };
    // What is swapped out is dropped without the lock of those who wait.
    let mut next = Some((number, ended));
    entry.ended.send_if_modified(|last| {
        let later = last.as_ref().is_none_or(|(last, _)| *last < number);
        if later {
            mem::swap(last, &mut next);
        }
        later
    });
}

pub(crate) fn tell_missed<K>(events: &Sender<Arc<Event<K>>>, missed: u64) {
    warn!(missed, "events were not told, there were too many at once");
    let _ = events.send(Arc::new(Event::Missed(missed)));
}

fn event<K: Clone>(change: &Change<Arc<Entry<K>>>) -> Option<Event<K>> {
    Some(match change {
        Change::Ejected(entry, reason, until) => Event::Ejected {
            key: entry.key.clone(),
            reason: *reason,
            until: *until,
        },
        Change::Restored(entry) => Event::Restored {
            key: entry.key.clone(),
        },
        Change::ProbeFailed(entry, error, failures) => Event::ProbeFailed {
            key: entry.key.clone(),
            error: Arc::clone(error),
            failures: *failures,
        },
        Change::PanicOn(out, of) => Event::PanicOn { out: *out, of: *of },
        Change::PanicOff => Event::PanicOff,
        Change::Proving(_)
        | Change::Fallen(..)
        | Change::Overridden(..)
        | Change::Removed(_)
        | Change::Halted(_) => return None,
    })
}

/// Whom it concerns that this ends a watch, and how.
fn ended<K>(change: &Change<Arc<Entry<K>>>) -> Option<(&Arc<Entry<K>>, Ended)> {
    match change {
        Change::Ejected(entry, reason, until) => {
            let (reason, until) = (*reason, *until);
            Some((entry, Ended::Ejected { reason, until }))
        }
        Change::Fallen(entry, error) => Some((entry, Ended::Down(Arc::clone(error)))),
        Change::Overridden(entry, Some(force @ (Override::Down | Override::Drain))) => {
            Some((entry, Ended::Overridden(*force)))
        }
        Change::Removed(entry) => Some((entry, Ended::Removed)),
        Change::Halted(entry) => Some((entry, Ended::Stopped)),
        _ => None,
    }
}

fn trace<K: Debug>(change: &Change<Arc<Entry<K>>>) {
    match change {
        Change::Ejected(entry, reason, until) => {
            let seconds = until.map(|until| {
                let left = until.saturating_duration_since(Instant::now());
                left.as_secs_f64()
            });
            warn!(key = ?entry.key, ?reason, seconds, "backend ejected");
        }
        Change::Proving(entry) => debug!(key = ?entry.key, "backend may prove itself"),
        Change::Restored(entry) => debug!(key = ?entry.key, "backend restored"),
        Change::ProbeFailed(entry, error, failures) => {
            let error = &**error as &(dyn std::error::Error + 'static);
            debug!(key = ?entry.key, error, failures, "probe failed");
        }
        Change::Fallen(entry, _) => warn!(key = ?entry.key, "backend is down, say its probes"),
        Change::Overridden(entry, force) => debug!(key = ?entry.key, ?force, "backend overridden"),
        Change::Removed(entry) => debug!(key = ?entry.key, "backend removed"),
        // That it has is told by the task that ends.
        Change::Halted(_) => {}
        Change::PanicOn(out, of) => warn!(out, of, "too many backends are out, all are used"),
        Change::PanicOff => warn!("no longer are too many backends out"),
    }
}

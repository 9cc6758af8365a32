use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use crate::event::Reason;
use crate::fleet::record::Record;
use crate::force::Override;
use crate::probe::ProbeError;

/// What follows from a decision, to be done once no lock is held.
#[derive(Debug)]
pub(crate) struct Actions<T> {
    pub(crate) changes: Vec<Change<T>>,
    pub(crate) wakers: Vec<Waker>,
    /// To be dropped, not woken: what a drop does is not known here.
    pub(crate) dropped: Vec<Waker>,
    /// As are these.
    pub(crate) errors: Vec<Arc<ProbeError>>,
    /// Probes that nobody waits for any more.
    pub(crate) stopped: Vec<u64>,
    /// Something may be due sooner than it was.
    pub(crate) sooner: bool,
    /// What nobody has, nor needs to remember.
    pub(crate) forgotten: Vec<Record<T>>,
}

/// Something that happened to a backend, or to all.
#[derive(Clone, Debug)]
pub(crate) enum Change<T> {
    Ejected(T, Reason, Option<Instant>),
    /// It may prove itself.
    Proving(T),
    Restored(T),
    ProbeFailed(T, Arc<ProbeError>, u32),
    /// So many probes have failed in a row that the backend is down, the last one so.
    Fallen(T, Arc<ProbeError>),
    Overridden(T, Option<Override>),
    Removed(T),
    /// Nobody judges it any more.
    Halted(T),
    PanicOn(usize, usize),
    PanicOff,
}

impl<T> Default for Actions<T> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            wakers: Vec::new(),
            dropped: Vec::new(),
            errors: Vec::new(),
            stopped: Vec::new(),
            sooner: false,
            forgotten: Vec::new(),
        }
    }
}

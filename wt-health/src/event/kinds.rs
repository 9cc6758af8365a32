use std::sync::Arc;

use tokio::time::Instant;

use crate::probe::ProbeError;

/// Something that happened to a backend, or to all of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<K> {
    /// A backend was taken out of rotation.
    #[non_exhaustive]
    Ejected {
        /// Which one.
        key: K,
        /// Why.
        reason: Reason,
        /// When it may prove itself at the earliest, unless its probes do; `None` if they alone
        /// can.
        until: Option<Instant>,
    },
    /// A backend is back in rotation.
    #[non_exhaustive]
    Restored {
        /// Which one.
        key: K,
    },
    /// A probe failed.
    #[non_exhaustive]
    ProbeFailed {
        /// That of which backend.
        key: K,
        /// Why.
        error: Arc<ProbeError>,
        /// How many have failed in a row, this one included.
        failures: u32,
    },
    /// Too many backends are out: all are in rotation again, but for those that an
    /// [`Override`](crate::Override) keeps out.
    #[non_exhaustive]
    PanicOn {
        /// How many are out.
        out: usize,
        /// Of how many.
        of: usize,
    },
    /// No longer are too many backends out.
    PanicOff,
    /// So many events happened that were not heard, since there were too many at once.
    Missed(u64),
}

/// Why a backend is out of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// So many calls have failed in a row.
    Consecutive,
    /// Its success rate was too far below the others'.
    SuccessRate,
    /// Too great a share of its calls failed.
    FailurePercentage,
    /// The call that was to prove it after an ejection failed.
    Proof,
    /// So many probes have failed in a row.
    Probes,
}

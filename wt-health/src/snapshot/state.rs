use tokio::time::Instant;

use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::{Fleet, Phase, Record};
use crate::judge::Id;

/// What calls and probes say of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is well.
    Up,
    /// It is ejected.
    #[non_exhaustive]
    Ejected {
        /// Why.
        reason: Reason,
        /// When it may prove itself at the earliest. If that is past, its probes keep it out.
        until: Instant,
    },
    /// Its ejection has had its time, and one call is to prove it.
    Proving,
    /// Its probes fail, and take it out.
    Down,
    /// It is new, and its probes have not succeeded yet.
    Unproven,
}

impl State {
    pub(crate) fn of<T>(record: &Record<T>, combine: Combine) -> Self {
        match record.phase {
            Phase::Ejected(ejection) => Self::Ejected {
                reason: ejection.reason,
                until: ejection.until,
            },
            Phase::Unproven => Self::Unproven,
            _ if record.is_out_by_probes(combine) => Self::Down,
            Phase::Proving(_) => Self::Proving,
            Phase::Up => Self::Up,
        }
    }

    pub(crate) fn of_id<T: Clone>(fleet: &Fleet<T>, id: Id) -> Option<Self> {
        let record = fleet.get(id)?;
        Some(Self::of(record, fleet.rules.combine))
    }
}

use std::sync::Arc;

use crate::combine::Combine;
use crate::fleet::Record;
use crate::force::Override;
use crate::probe::ProbeError;
use crate::snapshot::State;

/// How one backend is.
///
/// What is counted is counted since its key is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendSnapshot<K> {
    /// What it is known by.
    pub key: K,
    /// What calls and probes say of it.
    pub state: State,
    /// What an operator says of it, which counts more.
    pub overridden: Option<Override>,
    /// Whether calls may pass: what follows from both, and from a panic.
    pub in_rotation: bool,
    /// Whether anybody has it. If nobody has, it is remembered, and nothing else.
    pub had: bool,
    /// By how much the next ejection is longer than the first: what is left of the last ones.
    pub multiplier: u32,
    /// How often it has been ejected.
    pub ejections: u64,
    /// How many calls have failed in a row.
    pub consecutive_failures: u32,
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls whose outcome said nothing, those that were dropped among them. Calls that were made
    /// before an ejection and ended during or after it are in none of the three.
    pub ignored: u64,
    /// Probes that succeeded.
    pub probes_passed: u64,
    /// Probes that failed.
    pub probes_failed: u64,
    /// Why the last probe that failed did; kept while that was the last one, or the backend is
    /// down.
    pub probe_error: Option<Arc<ProbeError>>,
}

impl<K> BackendSnapshot<K> {
    pub(crate) fn of<T>(key: K, record: &Record<T>, combine: Combine) -> Self {
        let gate = record.cell.gate();
        let counts = record.cell.tally.read();
        Self {
            key,
            state: State::of(record, combine),
            overridden: record.force,
            in_rotation: gate.is_open(),
            had: record.is_had(),
            multiplier: record.multiplier,
            ejections: record.totals.ejections,
            consecutive_failures: record.cell.tally.streak(gate.epoch()),
            successes: counts.successes,
            failures: counts.failures,
            ignored: counts.ignored,
            probes_passed: record.totals.probes_passed,
            probes_failed: record.totals.probes_failed,
            probe_error: record.error.clone(),
        }
    }

    pub(crate) fn with<N>(self, key: N) -> BackendSnapshot<N> {
        BackendSnapshot {
            key,
            state: self.state,
            overridden: self.overridden,
            in_rotation: self.in_rotation,
            had: self.had,
            multiplier: self.multiplier,
            ejections: self.ejections,
            consecutive_failures: self.consecutive_failures,
            successes: self.successes,
            failures: self.failures,
            ignored: self.ignored,
            probes_passed: self.probes_passed,
            probes_failed: self.probes_failed,
            probe_error: self.probe_error,
        }
    }
}

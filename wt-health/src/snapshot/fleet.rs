use std::sync::Arc;

use crate::core::Core;
use crate::force::Override;
use crate::snapshot::{BackendSnapshot, State};

/// How the backends of a monitor are, each and in all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot<K> {
    /// All that are known, in no order.
    pub backends: Vec<(K, BackendSnapshot)>,
    /// How many somebody has; the following are of these.
    pub had: usize,
    /// How many are in rotation.
    pub in_rotation: usize,
    /// How many are ejected by their calls, those that are to prove themselves among them.
    pub ejected: usize,
    /// How many may be, at most.
    pub max_ejected: usize,
    /// How many are out since their probes fail, or have not succeeded yet.
    pub down: usize,
    /// How many an operator keeps out.
    pub overridden: usize,
    /// Whether too many are out, so that all are used.
    pub panic: bool,
}

impl<K: Clone> Snapshot<K> {
    pub(crate) fn of(core: &Core<K>) -> Self {
        let (all, max_ejected, panic) = core.look(|fleet| {
            let combine = fleet.rules.combine;
            let all: Vec<_> = fleet
                .records
                .iter()
                .map(|(_, record)| {
                    let backend = BackendSnapshot::of(record, combine);
                    (Arc::clone(&record.tag), backend)
                })
                .collect();
            let max_ejected = fleet.rules.outlier.limit(fleet.weight.had);
            (all, max_ejected, fleet.panic)
        });
        let count = |which: fn(&BackendSnapshot) -> bool| {
            let had = all.iter().filter(|(_, backend)| backend.had);
            had.filter(|(_, backend)| which(backend)).count()
        };
        Self {
            had: count(|_| true),
            in_rotation: count(|backend| backend.in_rotation),
            ejected: count(|backend| {
                matches!(backend.state, State::Ejected { .. } | State::Proving)
            }),
            max_ejected,
            down: count(|backend| matches!(backend.state, State::Down | State::Unproven)),
            overridden: count(|backend| {
                matches!(backend.force, Some(Override::Down | Override::Drain))
            }),
            panic,
            backends: all
                .iter()
                .map(|(entry, backend)| (entry.key.clone(), backend.clone()))
                .collect(),
        }
    }
}

use std::sync::Arc;

use crate::core::Core;
use crate::force::Override;
use crate::snapshot::{BackendSnapshot, State};

/// How the backends of a monitor are, each and in all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot<K> {
    /// All that are known, in no order.
    pub backends: Vec<BackendSnapshot<K>>,
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
        let (all, ejected, panic) = core.look(|fleet| {
            let combine = fleet.rules.combine;
            let records = fleet.records.iter();
            let all: Vec<_> = records
                .map(|(_, record)| BackendSnapshot::of(Arc::clone(&record.tag), record, combine))
                .collect();
            let max_ejected = fleet.rules.outlier.limit(fleet.weight.had);
            (all, (fleet.weight.ejected, max_ejected), fleet.is_panic())
        });
        // Keys are cloned without a lock.
        let keyed = all.into_iter().map(|backend| {
            let key = backend.key.key.clone();
            backend.with(key)
        });
        Self::sum(keyed.collect(), ejected, panic)
    }

    fn sum(
        backends: Vec<BackendSnapshot<K>>,
        (ejected, max_ejected): (usize, usize),
        panic: bool,
    ) -> Self {
        let count = |is: fn(&BackendSnapshot<K>) -> bool| {
            let had = backends.iter().filter(|backend| backend.had);
            had.filter(|backend| is(backend)).count()
        };
        Self {
            had: count(|_| true),
            in_rotation: count(|backend| backend.in_rotation),
            ejected,
            max_ejected,
            down: count(|backend| matches!(backend.state, State::Down | State::Unproven)),
            overridden: count(|backend| {
                matches!(backend.overridden, Some(Override::Down | Override::Drain))
            }),
            panic,
            backends,
        }
    }
}

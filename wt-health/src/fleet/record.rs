use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use crate::cell::Cell;
use crate::combine::Combine;
use crate::event::Reason;
use crate::force::Override;
use crate::gate::{Gate, Mode};
use crate::holders::Holders;
use crate::judge::Id;
use crate::probe::{ProbeError, Standing};
use crate::proof::Proof;
use crate::waiters::Waiters;

/// What is known of one backend.
///
/// What a sweep looks at comes first, and together, so that it touches little memory.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record<T> {
    pub(crate) cell: Arc<Cell>,
    /// When it was last seen to be called.
    pub(crate) used: Instant,
    /// Whether its rates are compared with others': somebody has it, and it is not ejected.
    pub(crate) compared: bool,
    /// Whether something becomes of it by time alone.
    pub(crate) aging: bool,
    /// Whether it is probed no more until it is called.
    pub(crate) dormant: bool,
    /// Its rates are those of an outlier, but it could not be ejected.
    pub(crate) suspect: Option<Reason>,
    pub(crate) multiplier: u32,
    /// Whether it has been ejected, or was still, since the last sweep.
    pub(crate) soiled: bool,
    pub(crate) tag: T,
    pub(crate) id: Id,
    /// The handles by which somebody has it.
    pub(crate) holders: Holders,
    pub(crate) phase: Phase,
    pub(crate) force: Option<Override>,
    pub(crate) standing: Standing,
    /// When its next probe is due, unless one is under way.
    pub(crate) due: Option<Instant>,
    /// The probe that is under way.
    pub(crate) probe: Option<u64>,
    /// Why the last probe that failed did, while it is down, or if that was the last one.
    pub(crate) error: Option<Arc<ProbeError>>,
    /// When it was ejected last.
    pub(crate) ejected: Option<Instant>,
    /// Whether it has been told to be out of rotation, and not to be back.
    pub(crate) told_out: bool,
    pub(crate) waiters: Waiters,
    /// When one of them is woken, while it may have to ask again by itself.
    pub(crate) reminder: Option<Instant>,
    /// How many watch it.
    pub(crate) watches: usize,
    /// Whether one who asks may make a call that proves it, unless somebody does.
    pub(crate) proves: bool,
    pub(crate) permits: u64,
    pub(crate) totals: Totals,
}

/// What its calls have brought it to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Up,
    /// New, and out until its probes succeed.
    Unproven,
    Ejected(Ejection),
    Proving(Proof),
}

/// A period out of rotation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ejection {
    pub(crate) until: Instant,
    pub(crate) reason: Reason,
}

/// What it has come to in all, its calls apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) ejections: u64,
    pub(crate) probes_passed: u64,
    pub(crate) probes_failed: u64,
}

/// Which backends are in rotation, where no operator says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    Healthy,
    /// All that have ever been healthy, since too many are not.
    Panic,
    /// All, since nobody judges any more.
    All,
}

/// What one backend adds to the numbers of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) had: usize,
    /// Ejected by its calls, and not yet proved.
    pub(crate) ejected: usize,
    /// Of those whose health is asked for.
    pub(crate) judged: usize,
    pub(crate) out: usize,
}

impl<T> Record<T> {
    pub(crate) fn new(tag: T, cell: Arc<Cell>, phase: Phase, now: Instant) -> Self {
        Self {
            id: cell.id,
            cell,
            used: now,
            compared: false,
            aging: true,
            dormant: false,
            suspect: None,
            multiplier: 0,
            soiled: false,
            tag,
            holders: Holders::default(),
            phase,
            force: None,
            standing: Standing::default(),
            due: None,
            probe: None,
            error: None,
            ejected: None,
            told_out: matches!(phase, Phase::Unproven),
            waiters: Waiters::default(),
            reminder: None,
            watches: 0,
            proves: false,
            permits: 0,
            totals: Totals::default(),
        }
    }

    /// Shows those who call what has become of it, and wakes them if it is better.
    pub(crate) fn publish(
        &mut self,
        combine: Combine,
        rotation: Rotation,
        wakers: &mut Vec<Waker>,
    ) {
        let was = self.cell.gate();
        let mode = self.mode(combine);
        // What was asked under other circumstances is no answer under these.
        let changed = u32::from(mode != was.mode());
        let open = self.is_open(combine, rotation);
        let gate = Gate::new(was.epoch().wrapping_add(changed), mode, open);
        self.cell.set_gate(gate);
        let proves = !open && mode == Mode::Proving && self.force.is_none();
        if open {
            self.waiters.take_all(wakers);
        } else if proves && !self.proves {
            wakers.extend(self.waiters.take_first());
        }
        self.proves = proves;
        let up = matches!(self.phase, Phase::Up);
        self.compared = self.is_had() && up;
        self.aging = !self.compared || self.multiplier > 0;
    }

    pub(crate) fn is_had(&self) -> bool {
        !self.holders.is_empty()
    }

    /// Whether calls and probes agree that it may be called.
    pub(crate) fn is_healthy(&self, combine: Combine) -> bool {
        matches!(self.phase, Phase::Up) && !self.is_out_by_probes(combine)
    }

    pub(crate) fn is_out_by_probes(&self, combine: Combine) -> bool {
        combine == Combine::EitherEjects && self.standing.is_down()
    }

    /// Whether its probes have failed so often, unless that was before they stopped.
    pub(crate) fn is_down(&self) -> bool {
        self.standing.is_down() && !self.dormant
    }

    /// Why its calls alone make it one to be ejected, if they do.
    pub(crate) fn accused(&self, consecutive: Option<u32>) -> Option<Reason> {
        let streak = self.cell.tally.streak(self.cell.gate().epoch());
        let in_a_row = consecutive.is_some_and(|consecutive| streak >= consecutive);
        if in_a_row {
            Some(Reason::Consecutive)
        } else {
            self.suspect
        }
    }

    pub(crate) fn weight(&self, combine: Combine) -> Weight {
        if !self.is_had() {
            return Weight::default();
        }
        let ejected = matches!(self.phase, Phase::Ejected(_) | Phase::Proving(_));
        let judged = self.force.is_none() && !matches!(self.phase, Phase::Unproven);
        Weight {
            had: 1,
            ejected: ejected.into(),
            judged: judged.into(),
            out: (judged && !self.is_healthy(combine)).into(),
        }
    }

    fn mode(&self, combine: Combine) -> Mode {
        match self.phase {
            _ if self.is_out_by_probes(combine) => Mode::Ignoring,
            Phase::Up => Mode::Counting,
            Phase::Proving(_) => Mode::Proving,
            Phase::Unproven | Phase::Ejected(_) => Mode::Ignoring,
        }
    }

    fn is_open(&self, combine: Combine, rotation: Rotation) -> bool {
        match self.force {
            _ if !self.is_had() => true,
            Some(force) => force == Override::Up,
            None if self.is_healthy(combine) => true,
            None => match rotation {
                Rotation::Healthy => false,
                Rotation::Panic => self.weight(combine).judged > 0,
                Rotation::All => true,
            },
        }
    }
}

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::actions::{Actions, Change};
use crate::fleet::model::Fleet;
use crate::fleet::record::{Phase, Record};
use crate::force::Override;
use crate::judge::Id;
use crate::later::later;
use crate::probe::{Initial, ProbeError, Rules, Standing, Turn};

/// A probe to be made.
#[derive(Clone, Debug)]
pub(crate) struct Start<T> {
    pub(crate) tag: T,
    pub(crate) id: Id,
    pub(crate) number: u64,
}

/// What a probe found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: Id,
    pub(crate) number: u64,
    pub(crate) began: Instant,
    pub(crate) result: Result<(), Arc<ProbeError>>,
}

impl<T: Clone> Fleet<T> {
    /// The next probe that is due, if there is one.
    pub(crate) fn next_probe(&mut self, now: Instant) -> Option<Start<T>> {
        let rules = self.rules.probes?;
        while let Some(id) = self.probes.take_due(now) {
            let combine = self.rules.combine;
            self.serial += 1;
            let number = self.serial;
            let Some(record) = self.get_mut(id) else {
                continue;
            };
            record.due = None;
            record.dormant = !record.is_probed(&rules, combine, now);
            if record.dormant {
                continue;
            }
            record.probe = Some(number);
            let tag = record.tag.clone();
            return Some(Start { tag, id, number });
        }
        None
    }

    /// When the next probe is due.
    pub(crate) fn probe_due(&self) -> Option<Instant> {
        self.probes.first().map(|(at, _)| at)
    }

    pub(crate) fn probed(&mut self, found: Found, now: Instant, actions: &mut Actions<T>) {
        let (id, began) = (found.id, found.began);
        let awaited = |record: &&mut Record<T>| record.probe == Some(found.number);
        let (Some(rules), Some(record)) = (self.rules.probes, self.get_mut(id).filter(awaited))
        else {
            actions.errors.extend(found.result.err());
            return;
        };
        record.probe = None;
        match found.result {
            // What was found before an ejection is what the ejection is for.
            result if record.ejected.is_some_and(|ejected| began < ejected) => {
                actions.errors.extend(result.err());
            }
            Ok(()) => self.passed(id, &rules, actions),
            Err(error) => self.missed(id, &rules, error, now, actions),
        }
        let settled = |record: &Record<T>| record.standing.is_settled(&rules);
        let settled = self.get(id).is_some_and(settled);
        let next = later(began, rules.wait(settled, self.rng.f64()));
        self.schedule(id, next.max(now));
        self.settle(actions);
    }

    /// The first probe is due soon, or at once if it is waited for.
    pub(crate) fn begin_probes(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) {
        let Some(rules) = self.rules.probes else {
            return;
        };
        let Some(record) = self.get_mut(id) else {
            return;
        };
        if record.due.is_some() || record.force == Some(Override::Down) {
            return;
        }
        if record.dormant && record.standing.is_down() {
            // That keeps nobody out, or the probes would not have stopped.
            record.standing = Standing::default();
            actions.errors.extend(record.error.take());
        }
        let wait = match rules.initial {
            Initial::Up => rules
                .wait(false, 0.5)
                .mul_f64(rules.jitter * self.rng.f64()),
            Initial::Down => Duration::ZERO,
        };
        self.schedule(id, later(now, wait));
        actions.sooner = true;
    }

    pub(crate) fn end_probes(&mut self, id: Id, actions: &mut Actions<T>) {
        self.unschedule(id);
        if let Some(record) = self.get_mut(id) {
            record.dormant = false;
            actions.stopped.extend(record.probe.take());
        }
    }

    /// It is to be known soon how one is that has just been ejected.
    pub(crate) fn hasten_probe(&mut self, id: Id, now: Instant) {
        let (Some(rules), Some(record)) = (self.rules.probes, self.get(id)) else {
            return;
        };
        let (due, dormant) = (record.due, record.dormant);
        let soon = later(now, rules.wait(false, self.rng.f64()));
        if dormant || due.is_some_and(|due| soon < due) {
            self.unschedule(id);
            self.schedule(id, soon);
        }
    }

    fn passed(&mut self, id: Id, rules: &Rules, actions: &mut Actions<T>) {
        let combine = self.rules.combine;
        let turn = self.change(id, actions, |record| {
            record.totals.probes_passed += 1;
            let turn = record.standing.passed(rules);
            let explained = !record.standing.is_down();
            (turn, record.error.take_if(|_| explained), record.phase)
        });
        let Some((turn, error, phase)) = turn else {
            return;
        };
        actions.errors.extend(error);
        if turn != Turn::Risen {
            return;
        }
        match phase {
            Phase::Unproven => self.restore(id, actions),
            Phase::Ejected(_) | Phase::Proving(_) if combine != Combine::EitherEjects => {
                self.restore(id, actions);
            }
            _ => self.tell_back(id, actions),
        }
    }

    fn missed(
        &mut self,
        id: Id,
        rules: &Rules,
        error: Arc<ProbeError>,
        now: Instant,
        actions: &mut Actions<T>,
    ) {
        let turn = self.change(id, actions, |record| {
            record.totals.probes_failed += 1;
            let old = record.error.replace(Arc::clone(&error));
            let turn = record.standing.failed(rules);
            (turn, record.standing.failures(), record.tag.clone(), old)
        });
        let Some((turn, failures, tag, old)) = turn else {
            return;
        };
        actions.errors.extend(old);
        let failed = Change::ProbeFailed(tag.clone(), Arc::clone(&error), failures);
        actions.changes.push(failed);
        if turn == Turn::Fallen {
            actions.changes.push(Change::Fallen(tag, error));
            self.fallen(id, now, actions);
        }
    }

    fn fallen(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) {
        let combine = self.rules.combine;
        let consecutive = self.rules.outlier.consecutive;
        let Some(record) = self.get_mut(id) else {
            return;
        };
        match combine {
            Combine::PassiveEjectsActiveRestores => {}
            Combine::EitherEjects if matches!(record.phase, Phase::Up) => {
                record.told_out = true;
                let ejected = Change::Ejected(record.tag.clone(), Reason::Probes, None);
                actions.changes.push(ejected);
            }
            Combine::EitherEjects => {}
            Combine::BothEject => {
                if let Some(reason) = record.accused(consecutive) {
                    self.accuse(id, reason, now, actions);
                }
            }
        }
    }

    fn schedule(&mut self, id: Id, at: Instant) {
        let Some(record) = self.get_mut(id).filter(|record| record.is_had()) else {
            return;
        };
        record.due = Some(at);
        record.dormant = false;
        self.probes.add(at, id);
    }

    fn unschedule(&mut self, id: Id) {
        let due = self.get_mut(id).and_then(|record| record.due.take());
        if let Some(due) = due {
            self.probes.remove(due, id);
        }
    }
}

impl<T> Record<T> {
    /// Whether somebody is interested in how it is.
    fn is_probed(&self, rules: &Rules, combine: Combine, now: Instant) -> bool {
        let unused = now.saturating_duration_since(self.used);
        let used = self.watches > 0 || rules.unused.is_none_or(|limit| unused < limit);
        // Who is out cannot be used.
        let out = !self.is_healthy(combine);
        self.is_had() && self.force != Some(Override::Down) && (used || out)
    }
}

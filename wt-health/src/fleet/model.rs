use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Poll, Waker};

use fastrand::Rng;
use slab::Slab;
use tokio::time::Instant;

use crate::cell::{Cell, Shared};
use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::actions::{Actions, Change};
use crate::fleet::agenda::Agenda;
use crate::fleet::record::{Ejection, Phase, Record, Weight};
use crate::fleet::rules::Rules;
use crate::force::Override;
use crate::gate::{Gate, Mode};
use crate::judge::{Id, Place};
use crate::probe::Initial;
use crate::proof::{PATIENCE, Proof};

/// All backends of a monitor, and who of them is out.
///
/// `T` is what stands for a backend elsewhere; it is cloned and nothing else.
#[derive(Debug)]
pub(crate) struct Fleet<T> {
    pub(crate) rules: Rules,
    pub(crate) records: Slab<Record<T>>,
    pub(crate) weight: Weight,
    pub(crate) panic: bool,
    pub(crate) rng: Rng,
    /// When ejections end.
    pub(crate) ends: Agenda,
    pub(crate) proving: BTreeSet<Id>,
    /// When probes are due.
    pub(crate) probes: Agenda,
    pub(crate) serial: u64,
}

impl<T: Clone> Fleet<T> {
    pub(crate) fn new(rules: Rules, rng: Rng) -> Self {
        Self {
            rules,
            records: Slab::new(),
            weight: Weight::default(),
            panic: false,
            rng,
            ends: Agenda::default(),
            proving: BTreeSet::new(),
            probes: Agenda::default(),
            serial: 0,
        }
    }

    /// Gets to know a backend, which nobody has yet.
    pub(crate) fn add(
        &mut self,
        shared: &Shared,
        now: Instant,
        tag: impl FnOnce(&Arc<Cell>) -> T,
    ) -> T {
        let probes = self.rules.probes.as_ref();
        let down = probes.is_some_and(|probes| probes.initial == Initial::Down);
        let (phase, mode) = if down {
            (Phase::Unproven, Mode::Ignoring)
        } else {
            (Phase::Up, Mode::Counting)
        };
        self.serial += 1;
        let entry = self.records.vacant_entry();
        let id = Id {
            place: entry.key(),
            serial: self.serial,
        };
        let cell = Arc::new(Cell::new(id, Gate::new(0, mode, true), shared));
        let tag = tag(&cell);
        entry.insert(Record::new(tag.clone(), cell, phase, now));
        tag
    }

    /// Somebody has it from now on; says whether it is known.
    pub(crate) fn hold(
        &mut self,
        id: Id,
        handle: u64,
        now: Instant,
        actions: &mut Actions<T>,
    ) -> bool {
        let Some(record) = self.get(id) else {
            return false;
        };
        let begins = !record.is_had();
        self.change(id, actions, |record| {
            record.holder = Some(handle);
            record.used = now;
        });
        if begins {
            self.begin_probes(id, now, actions);
        }
        self.settle(actions);
        true
    }

    /// Nobody has it any more, by this handle or, without one, by any.
    pub(crate) fn release(&mut self, id: Id, handle: Option<u64>, actions: &mut Actions<T>) {
        let Some(record) = self.get(id) else {
            return;
        };
        if record.holder.is_none() || handle.is_some() && record.holder != handle {
            return;
        }
        self.end_probes(id, actions);
        self.change(id, actions, |record| record.holder = None);
        self.settle(actions);
    }

    /// Says whether it is known.
    pub(crate) fn force(
        &mut self,
        id: Id,
        force: Option<Override>,
        now: Instant,
        actions: &mut Actions<T>,
    ) -> bool {
        let Some(record) = self.get(id) else {
            return false;
        };
        let (was, had) = (record.force, record.is_had());
        if was == force {
            return true;
        }
        let tag = record.tag.clone();
        self.change(id, actions, |record| record.force = force);
        actions.changes.push(Change::Overridden(tag, force));
        match (was, force) {
            (_, Some(Override::Down)) => self.end_probes(id, actions),
            (Some(Override::Down), _) if had => self.begin_probes(id, now, actions),
            _ => {}
        }
        self.settle(actions);
        true
    }

    /// Whether one who found the gate not open may call, or waits.
    pub(crate) fn poll_admit(
        &mut self,
        id: Id,
        place: &mut Place,
        waker: Waker,
        now: Instant,
        actions: &mut Actions<T>,
    ) -> Poll<()> {
        let mine = match *place {
            Place::Admitted(permit) => Some(permit),
            Place::None | Place::Waiting(_) => None,
        };
        let ticket = match *place {
            Place::Waiting(ticket) => Some(ticket),
            Place::None | Place::Admitted(_) => None,
        };
        let Some(record) = self.get_mut(id) else {
            *place = Place::None;
            return Poll::Ready(());
        };
        let gate = record.cell.gate();
        let asks = !gate.is_open() && gate.mode() == Mode::Proving && record.force.is_none();
        let permit = match &mut record.phase {
            Phase::Proving(proof) if asks => proof.ask(mine, now),
            _ => None,
        };
        if gate.is_open() || permit.is_some() {
            let left = ticket.and_then(|ticket| record.waiters.leave(ticket));
            actions.dropped.extend(left.into_iter().chain([waker]));
            *place = permit.map_or(Place::None, Place::Admitted);
            return Poll::Ready(());
        }
        let (ticket, old) = record.waiters.wait(ticket, waker);
        actions.dropped.extend(old);
        *place = Place::Waiting(ticket);
        actions.sooner |= matches!(record.phase, Phase::Proving(_));
        Poll::Pending
    }

    /// One who waited, or might have called, does neither.
    pub(crate) fn leave(&mut self, id: Id, place: Place, now: Instant, actions: &mut Actions<T>) {
        match place {
            Place::None => {}
            Place::Waiting(ticket) => {
                let record = self.get_mut(id);
                let left = record.and_then(|record| record.waiters.leave(ticket));
                actions.dropped.extend(left);
            }
            Place::Admitted(permit) => self.give_back(id, permit, now, actions),
        }
    }

    /// The proving call is made; if it is not answered for as long as a first ejection takes,
    /// another may be.
    pub(crate) fn called(&mut self, id: Id, permit: u64, now: Instant) {
        let patience = self.rules.outlier.ejection(1).max(PATIENCE);
        if let Some(Phase::Proving(proof)) = self.get_mut(id).map(|record| &mut record.phase) {
            proof.called(permit, now + patience);
        }
    }

    /// The proving call was given up: somebody else may make it.
    pub(crate) fn give_back(
        &mut self,
        id: Id,
        permit: u64,
        now: Instant,
        actions: &mut Actions<T>,
    ) {
        let Some(record) = self.get_mut(id) else {
            return;
        };
        let Phase::Proving(proof) = &mut record.phase else {
            return;
        };
        if proof.give_back(permit, now) {
            actions.wakers.extend(record.waiters.take_first());
            actions.sooner = true;
        }
    }

    /// So many calls in a row have failed that it is to be ejected.
    pub(crate) fn failed(&mut self, id: Id, epoch: u32, now: Instant, actions: &mut Actions<T>) {
        let current = |record: &Record<T>| record.cell.gate().epoch() == epoch;
        if self.get(id).is_some_and(current) {
            self.accuse(id, Reason::Consecutive, now, actions);
            self.settle(actions);
        }
    }

    /// A call that was made to prove it was answered.
    pub(crate) fn proved(
        &mut self,
        id: Id,
        epoch: u32,
        success: bool,
        now: Instant,
        actions: &mut Actions<T>,
    ) {
        let Some(record) = self.get_mut(id) else {
            return;
        };
        let proving = matches!(record.phase, Phase::Proving(_));
        if !proving || record.cell.gate().epoch() != epoch {
            return;
        }
        record.used = now;
        if success {
            record.cell.tally.success(epoch);
            self.restore(id, actions);
        } else {
            record.cell.tally.failure(epoch);
            self.eject(id, Reason::Proof, now, actions);
        }
        self.settle(actions);
    }

    /// Ends the ejections that have had their time, and reminds those who wait for a proof.
    pub(crate) fn tick(&mut self, now: Instant, actions: &mut Actions<T>) {
        while let Some(id) = self.ends.take_due(now) {
            self.end_ejection(id, now, actions);
        }
        for id in self.proving.clone() {
            let Some(record) = self.get_mut(id) else {
                continue;
            };
            if let Phase::Proving(proof) = &mut record.phase
                && proof.remind <= now
            {
                proof.reminded(now);
                record.waiters.take_all(&mut actions.wakers);
            }
        }
        self.settle(actions);
    }

    /// When there is something to do, the sweep apart.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let remind = |id: &Id| {
            let record = self.get(*id).filter(|record| !record.waiters.is_empty())?;
            match record.phase {
                Phase::Proving(proof) => Some(proof.remind),
                _ => None,
            }
        };
        let reminders = self.proving.iter().filter_map(remind);
        let ends = self.ends.first().map(|(at, _)| at);
        reminders.chain(ends).min()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Record<T>> {
        self.records.get(id.place).filter(|record| record.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Record<T>> {
        self.records
            .get_mut(id.place)
            .filter(|record| record.id == id)
    }

    /// Ejects one whose calls speak against it, if its probes and the limit let that be.
    pub(crate) fn accuse(
        &mut self,
        id: Id,
        reason: Reason,
        now: Instant,
        actions: &mut Actions<T>,
    ) -> bool {
        let Some(record) = self.get(id) else {
            return false;
        };
        let may = record.is_had() && record.force.is_none() && matches!(record.phase, Phase::Up);
        let agreed = self.rules.combine != Combine::BothEject || record.standing.is_down();
        let room = self.weight.ejected < self.rules.outlier.limit(self.weight.had);
        if may && agreed && room {
            self.eject(id, reason, now, actions);
        }
        may && agreed && room
    }

    pub(crate) fn restore(&mut self, id: Id, actions: &mut Actions<T>) {
        let combine = self.rules.combine;
        self.leave_phase(id);
        self.change(id, actions, |record| {
            record.phase = Phase::Up;
            record.suspect = None;
            // From before.
            record.take_counts();
        });
        let healthy = self.get(id).filter(|record| record.is_healthy(combine));
        let restored = healthy.map(|record| Change::Restored(record.tag.clone()));
        actions.changes.extend(restored);
    }

    /// Changes a record, and all that follows from it at once.
    pub(crate) fn change<R>(
        &mut self,
        id: Id,
        actions: &mut Actions<T>,
        change: impl FnOnce(&mut Record<T>) -> R,
    ) -> Option<R> {
        let (combine, panic) = (self.rules.combine, self.panic);
        let record = self.get_mut(id)?;
        let before = record.weight(combine);
        let changed = change(record);
        let after = record.weight(combine);
        record.publish(combine, panic, &mut actions.wakers);
        self.weight = self.weight.without(before).with(after);
        Some(changed)
    }

    /// Keeps to the limit, however few backends there are now, and panics if there is cause.
    pub(crate) fn settle(&mut self, actions: &mut Actions<T>) {
        while self.weight.ejected > self.rules.outlier.limit(self.weight.had) {
            let Some(id) = self.first_ejected() else {
                break;
            };
            self.restore(id, actions);
        }
        let Weight { out, judged, .. } = self.weight;
        let panic = self.rules.is_panic(out, judged);
        if panic == self.panic {
            return;
        }
        self.panic = panic;
        let combine = self.rules.combine;
        for (_, record) in &mut self.records {
            record.publish(combine, panic, &mut actions.wakers);
        }
        actions.changes.push(if panic {
            Change::PanicOn(out, judged)
        } else {
            Change::PanicOff
        });
    }

    /// The one that would be back first.
    fn first_ejected(&self) -> Option<Id> {
        let had = |id: &Id| self.get(*id).is_some_and(Record::is_had);
        let proving = self.proving.iter().copied().find(had);
        proving.or_else(|| {
            let ejected = self.records.iter().filter_map(|(_, record)| {
                let Phase::Ejected(ejection) = record.phase else {
                    return None;
                };
                record.is_had().then_some((ejection.until, record.id))
            });
            ejected.min().map(|(_, id)| id)
        })
    }

    fn eject(&mut self, id: Id, reason: Reason, now: Instant, actions: &mut Actions<T>) {
        let Some(multiplier) = self.get(id).map(|record| record.multiplier) else {
            return;
        };
        let multiplier = self.rules.outlier.multiplied(multiplier);
        let until = now + self.rules.outlier.ejection(multiplier);
        self.leave_phase(id);
        self.ends.add(until, id);
        let tag = self.change(id, actions, |record| {
            record.phase = Phase::Ejected(Ejection {
                since: now,
                until,
                reason,
            });
            record.multiplier = multiplier;
            record.suspect = None;
            record.totals.ejections += 1;
            record.standing.forget_passes();
            record.tag.clone()
        });
        let ejected = tag.map(|tag| Change::Ejected(tag, reason, Some(until)));
        actions.changes.extend(ejected);
        actions.sooner = true;
        self.hasten_probe(id, now);
    }

    fn end_ejection(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) {
        let restores = self.rules.combine == Combine::PassiveEjectsActiveRestores;
        let Some(record) = self.get(id) else {
            return;
        };
        // Its probes know better; once they succeed, they let it back in.
        if restores && record.standing.is_down() {
            return;
        }
        self.proving.insert(id);
        self.change(id, actions, |record| {
            record.phase = Phase::Proving(Proof::new(record.permits, now));
        });
        let proving = self
            .get(id)
            .map(|record| Change::Proving(record.tag.clone()));
        actions.changes.extend(proving);
    }

    fn leave_phase(&mut self, id: Id) {
        let Some(record) = self.get_mut(id) else {
            return;
        };
        match record.phase {
            Phase::Ejected(ejection) => self.ends.remove(ejection.until, id),
            Phase::Proving(proof) => {
                record.permits = proof.last();
                self.proving.remove(&id);
            }
            Phase::Up | Phase::Unproven => {}
        }
    }
}

impl Weight {
    fn with(self, other: Self) -> Self {
        Self {
            had: self.had + other.had,
            ejected: self.ejected + other.ejected,
            judged: self.judged + other.judged,
            out: self.out + other.out,
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            had: self.had - other.had,
            ejected: self.ejected - other.ejected,
            judged: self.judged - other.judged,
            out: self.out - other.out,
        }
    }
}

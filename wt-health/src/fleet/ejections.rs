use std::mem;

use tokio::time::Instant;

use crate::combine::Combine;
use crate::event::Reason;
use crate::fleet::actions::{Actions, Change};
use crate::fleet::agenda::Agenda;
use crate::fleet::model::Fleet;
use crate::fleet::record::{Ejection, Phase, Record};
use crate::judge::Id;
use crate::later::later;
use crate::proof::Proof;

impl<T: Clone> Fleet<T> {
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
        while let Some(id) = self.reminders.take_due(now) {
            self.remind(id, now, actions);
        }
        self.settle(actions);
    }

    /// When there is something to do, the sweep apart.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let [end, reminder] = [&self.ends, &self.reminders].map(Agenda::first);
        let dues = end.into_iter().chain(reminder);
        dues.map(|(at, _)| at).min()
    }

    /// Sees to it that those who wait for a proof are reminded in time, and not later.
    pub(crate) fn plan_reminder(&mut self, id: Id, actions: &mut Actions<T>) {
        let Some(record) = self.records.get_mut(id.place).filter(|it| it.id == id) else {
            return;
        };
        let Phase::Proving(proof) = record.phase else {
            return;
        };
        let planned = record.reminder.is_some_and(|at| at <= proof.remind);
        if planned || !record.proves || record.waiters.is_empty() {
            return;
        }
        if let Some(late) = record.reminder.replace(proof.remind) {
            self.reminders.remove(late, id);
        }
        self.reminders.add(proof.remind, id);
        actions.sooner = true;
    }

    /// Wakes one of those who wait, unless it is too early.
    fn remind(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) {
        let Some(record) = self.get_mut(id) else {
            return;
        };
        record.reminder = None;
        if let Phase::Proving(proof) = &mut record.phase
            && record.proves
            && proof.remind <= now
        {
            proof.reminded(now);
            actions.wakers.extend(record.waiters.take_first());
        }
        self.plan_reminder(id, actions);
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
        let agreed = self.rules.combine != Combine::BothEject || record.is_down();
        let room = self.weight.ejected < self.rules.outlier.limit(self.weight.had);
        if may && agreed && room {
            self.eject(id, reason, now, actions);
        }
        may && agreed && room
    }

    pub(crate) fn restore(&mut self, id: Id, actions: &mut Actions<T>) {
        self.leave_phase(id);
        self.change(id, actions, |record| {
            record.phase = Phase::Up;
            record.soiled = true;
            record.suspect = None;
            // From before.
            record.cell.tally.take();
        });
        self.tell_back(id, actions);
    }

    /// Tells that it is back in rotation, if it is, and was told to be out.
    pub(crate) fn tell_back(&mut self, id: Id, actions: &mut Actions<T>) {
        let combine = self.rules.combine;
        let Some(record) = self.get_mut(id) else {
            return;
        };
        let back = record.is_healthy(combine) && record.force.is_none();
        if !back || !mem::take(&mut record.told_out) || !record.is_had() {
            return;
        }
        let restored = Change::Restored(record.tag.clone());
        actions.changes.push(restored);
    }

    fn eject(&mut self, id: Id, reason: Reason, now: Instant, actions: &mut Actions<T>) {
        let Some(multiplier) = self.get(id).map(|record| record.multiplier) else {
            return;
        };
        let multiplier = multiplier.saturating_add(1);
        let until = later(now, self.rules.outlier.ejection(multiplier));
        self.leave_phase(id);
        self.ends.add(until, id);
        let tag = self.change(id, actions, |record| {
            record.phase = Phase::Ejected(Ejection { until, reason });
            record.ejected = Some(now);
            record.told_out = true;
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
        // Its probes know better, while there are any; once they succeed, they let it back in.
        if restores && record.standing.is_down() && record.is_had() {
            return;
        }
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
                if let Some(reminder) = record.reminder.take() {
                    self.reminders.remove(reminder, id);
                }
            }
            Phase::Up | Phase::Unproven => {}
        }
    }

    /// The one that would be back first.
    pub(crate) fn first_ejected(&self) -> Option<Id> {
        let back = |record: &Record<T>| match record.phase {
            Phase::Proving(proof) => Some((false, proof.since, record.id)),
            Phase::Ejected(ejection) => Some((true, ejection.until, record.id)),
            Phase::Up | Phase::Unproven => None,
        };
        let had = self.records.iter().filter(|(_, record)| record.is_had());
        let first = had.filter_map(|(_, record)| back(record)).min();
        first.map(|(_, _, id)| id)
    }
}

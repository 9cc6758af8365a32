use std::sync::Arc;

use fastrand::Rng;
use slab::Slab;
use tokio::time::Instant;

use crate::cell::{Cell, Shared};
use crate::fleet::actions::{Actions, Change};
use crate::fleet::agenda::Agenda;
use crate::fleet::record::{Phase, Record, Rotation, Weight};
use crate::fleet::rules::Rules;
use crate::fleet::sweep::Swept;
use crate::force::Override;
use crate::gate::{Gate, Mode};
use crate::judge::Id;
use crate::probe::Initial;

/// All backends of a monitor, and who of them is out.
///
/// `T` is what stands for a backend elsewhere; it is cloned and nothing else.
#[derive(Debug)]
pub(crate) struct Fleet<T> {
    pub(crate) rules: Rules,
    pub(crate) records: Slab<Record<T>>,
    pub(crate) weight: Weight,
    pub(crate) rotation: Rotation,
    pub(crate) rng: Rng,
    /// When ejections end.
    pub(crate) ends: Agenda,
    /// When those who wait for a proof are reminded.
    pub(crate) reminders: Agenda,
    /// When probes are due.
    pub(crate) probes: Agenda,
    pub(crate) serial: u64,
    pub(crate) swept: Swept,
}

impl<T: Clone> Fleet<T> {
    pub(crate) fn new(rules: Rules, rng: Rng) -> Self {
        Self {
            rules,
            records: Slab::new(),
            weight: Weight::default(),
            rotation: Rotation::Healthy,
            rng,
            ends: Agenda::default(),
            reminders: Agenda::default(),
            probes: Agenda::default(),
            serial: 0,
            swept: Swept::default(),
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

    /// Somebody has it from now on, by the handle that this gives, if it is known.
    pub(crate) fn hold(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) -> Option<u64> {
        let begins = !self.get(id)?.is_had();
        self.serial += 1;
        let handle = self.serial;
        self.change(id, actions, |record| {
            record.holders.add(handle);
            record.used = now;
        });
        if begins {
            self.begin_probes(id, now, actions);
        }
        self.settle(actions);
        Some(handle)
    }

    /// Nobody has it by this handle any more, nor if it is the last one at all; says whether it
    /// was.
    pub(crate) fn release(&mut self, id: Id, handle: u64, actions: &mut Actions<T>) -> bool {
        let Some(record) = self.get_mut(id) else {
            return false;
        };
        let last = record.holders.is_last(handle);
        if !last {
            record.holders.remove(handle);
        }
        last && self.retire(id, actions)
    }

    /// Nobody has it any more, by any handle; says whether anybody had.
    pub(crate) fn retire(&mut self, id: Id, actions: &mut Actions<T>) -> bool {
        let Some(record) = self.get(id).filter(|record| record.is_had()) else {
            return false;
        };
        if let Phase::Ejected(ejection) = record.phase {
            // If it is past, it was the probes that kept it out.
            self.ends.add(ejection.until, id);
            actions.sooner = true;
        }
        self.end_probes(id, actions);
        self.change(id, actions, |record| record.holders.clear());
        self.settle(actions);
        true
    }

    /// Somebody watches it from now on, which is as good as calls.
    pub(crate) fn watch(&mut self, id: Id, now: Instant, actions: &mut Actions<T>) {
        if let Some(record) = self.get_mut(id) {
            record.watches += 1;
            if record.dormant {
                self.begin_probes(id, now, actions);
            }
        }
    }

    pub(crate) fn unwatch(&mut self, id: Id) {
        if let Some(record) = self.get_mut(id) {
            record.watches = record.watches.saturating_sub(1);
        }
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
        self.tell_back(id, actions);
        self.settle(actions);
        true
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Record<T>> {
        self.records.get(id.place).filter(|record| record.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Record<T>> {
        self.records
            .get_mut(id.place)
            .filter(|record| record.id == id)
    }

    /// Changes a record, and all that follows from it at once.
    pub(crate) fn change<R>(
        &mut self,
        id: Id,
        actions: &mut Actions<T>,
        change: impl FnOnce(&mut Record<T>) -> R,
    ) -> Option<R> {
        let (combine, rotation) = (self.rules.combine, self.rotation);
        let record = self.get_mut(id)?;
        let before = record.weight(combine);
        let changed = change(record);
        let after = record.weight(combine);
        record.publish(combine, rotation, &mut actions.wakers);
        self.weight = self.weight.without(before).with(after);
        self.plan_reminder(id, actions);
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
        match (self.rotation, self.rules.is_panic(out, judged)) {
            (Rotation::Healthy, true) => {
                self.rotate(Rotation::Panic, actions);
                actions.changes.push(Change::PanicOn(out, judged));
            }
            (Rotation::Panic, false) => {
                self.rotate(Rotation::Healthy, actions);
                actions.changes.push(Change::PanicOff);
            }
            _ => {}
        }
    }

    pub(crate) fn is_panic(&self) -> bool {
        self.rotation == Rotation::Panic
    }

    /// Nobody judges any more: all are used.
    pub(crate) fn halt(&mut self, actions: &mut Actions<T>) {
        self.rotate(Rotation::All, actions);
        let had = self.records.iter().filter(|(_, record)| record.is_had());
        let halted = had.map(|(_, record)| Change::Halted(record.tag.clone()));
        actions.changes.extend(halted);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.rotation == Rotation::All
    }

    fn rotate(&mut self, rotation: Rotation, actions: &mut Actions<T>) {
        self.rotation = rotation;
        let combine = self.rules.combine;
        for (_, record) in &mut self.records {
            record.publish(combine, rotation, &mut actions.wakers);
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

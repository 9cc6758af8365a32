use std::collections::VecDeque;

use tokio::time::Instant;

use crate::line::{Line, Waiter};
use crate::pace::Pace;
use crate::rules::Rules;
use crate::slots::{Key, Slots};
use crate::stats::{ClosedStats, Reason};
use crate::stock::slot::{Slot, SlotState};
use crate::stock::{Gone, Guards, Phase, Refusal, Return, Share};

/// The connections of one target, and those who wait for one.
///
/// An exclusive connection leaves it while it is lent, and the one that came back last goes first.
/// A shared one stays, and the oldest with room goes first. `now` never comes from here, and
/// whatever ends up outside is returned, so that no caller's code runs under the lock around it.
#[derive(Debug)]
pub(crate) struct Stock<I, W> {
    pub(crate) rules: Rules,
    pub(crate) phase: Phase,
    pub(crate) line: Line<W>,
    /// How many hold on to the target itself.
    pub(crate) hinges: usize,
    /// A task takes care of it.
    pub(crate) kept: bool,
    pub(crate) timeouts: u64,
    pub(super) slots: Slots<Slot<I>>,
    /// Those that may be lent; exclusive: the idle ones, the youngest last. Shared: the oldest
    /// first.
    pub(super) order: VecDeque<Key>,
    pub(super) live: usize,
    pub(super) retiring: usize,
    /// Those that drain, and count as long as they are lent.
    pub(super) spent: usize,
    /// Those that are known to be dead, and are still lent.
    pub(super) dead: usize,
    pub(super) connecting: usize,
    pub(super) warm: Vec<usize>,
    /// Somebody asked for a connection, could not wait for the first, and may ask again.
    pub(super) asked: bool,
    pub(super) suspects: Vec<Key>,
    pub(super) pace: Pace,
    /// A connection died before it was of any use.
    pub(super) flopped: bool,
    /// One was of use since the last failure.
    pub(super) proven: bool,
    pub(super) next_sweep: Instant,
    pub(super) next_look: Instant,
    /// No lifetime ends before that.
    pub(super) next_expiry: Option<Instant>,
    pub(super) opened: u64,
    pub(super) failed: u64,
    pub(super) closed: ClosedStats,
    pub(super) reused: u64,
}

impl<I: Share, W> Stock<I, W> {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            phase: Phase::Open,
            line: Line::new(),
            hinges: 0,
            kept: false,
            timeouts: 0,
            slots: Slots::new(),
            order: VecDeque::new(),
            live: 0,
            retiring: 0,
            spent: 0,
            dead: 0,
            connecting: 0,
            warm: Vec::new(),
            asked: false,
            suspects: Vec::new(),
            pace: Pace::default(),
            flopped: false,
            proven: false,
            next_sweep: now,
            next_look: now,
            next_expiry: None,
            opened: 0,
            failed: 0,
            closed: ClosedStats::default(),
            reused: 0,
        }
    }

    /// What was lent and used comes back, if nobody waits and nothing else is to be decided; the
    /// short way for the usual case, after which `give_back` decides. There is a `now` for
    /// exclusive connections alone: since then they are idle, and may be lent.
    #[inline]
    pub(crate) fn take_back_at_once(
        &mut self,
        key: Key,
        item: I,
        now: Option<Instant>,
    ) -> Result<(), I> {
        debug_assert_eq!(now.is_some(), !self.rules.shared);
        let Some(slot) = self.calm_slot(key) else {
            return Err(item);
        };
        slot.put(item);
        if let Some(now) = now {
            slot.idleness.record(now);
            self.order.push_back(key);
        }
        Ok(())
    }

    /// A slot to which something came back, if nothing is to be decided.
    #[inline]
    fn calm_slot(&mut self, key: Key) -> Option<&mut Slot<I>> {
        if !self.line.is_empty() || self.rules.max_uses.is_some() {
            return None;
        }
        let slot = self.slots.get_mut(key)?;
        if !slot.is_live() || slot.suspect {
            return None;
        }
        self.proven = true;
        slot.lent -= 1;
        slot.proven = true;
        slot.touched = true;
        Some(slot)
    }

    /// Waits, unless too many do; those who have been in line come back whatever its length.
    pub(crate) fn wait(&mut self, waiter: Waiter<W>, comes_back: bool) -> Result<(), Refusal> {
        if self.line.len() >= self.rules.max_waiters && !comes_back {
            return Err(Refusal::QueueFull);
        }
        self.line.join(waiter);
        Ok(())
    }

    /// What was lent comes back; for exclusive connections, `now` tells since when they are idle.
    pub(crate) fn give_back(
        &mut self,
        key: Key,
        back: Return<I>,
        now: Option<Instant>,
    ) -> Option<Gone<I>> {
        let Some(slot) = self.slots.get_mut(key) else {
            return match back {
                Return::Used(item) | Return::Unused(item) => Some(Gone::stale(item)),
                Return::Done(_) => None,
            };
        };
        slot.lent -= 1;
        slot.touched = true;
        let (item, reason) = match back {
            Return::Used(item) => {
                self.proven = true;
                slot.proven = true;
                let used_up = self.rules.max_uses.is_some_and(|max| slot.uses >= max);
                (Some(item), used_up.then_some(Reason::Uses))
            }
            Return::Unused(item) => {
                slot.uses -= 1;
                self.reused -= u64::from(slot.uses > 0);
                (Some(item), None)
            }
            Return::Done(reason) => (None, Some(reason)),
        };
        if let Some(item) = item {
            slot.put(item);
        }
        if let Some(now) = now {
            slot.idleness.record(now);
        }
        if let Some(reason) = reason {
            self.begin_close(key, reason);
        }
        self.settle_slot(key)
    }

    /// Adds a connection that was made, by a generation greater than all before.
    pub(crate) fn add(
        &mut self,
        generation: u64,
        item: I,
        capacity: usize,
        expires: Option<Instant>,
        now: Instant,
    ) -> Key {
        if self.slots.is_empty() {
            self.next_sweep = far(now, self.rules.sweep_interval);
            self.next_look = far(now, self.rules.look_interval());
            self.next_expiry = None;
        }
        self.expect_expiry(expires);
        self.opened += 1;
        self.live += 1;
        let key = self
            .slots
            .insert(generation, Slot::new(item, capacity, now, expires));
        self.order.push_back(key);
        key
    }

    /// What is to be held as long as the connection is here; comes back if it is gone.
    pub(crate) fn guard(&mut self, key: Key, guards: Guards) -> Option<Guards> {
        match self.slots.get_mut(key) {
            Some(slot) => {
                slot.guards = guards;
                None
            }
            None => Some(guards),
        }
    }

    /// Lends it no more; it leaves with the last of its slots.
    pub(crate) fn close(&mut self, key: Key, reason: Reason) -> Option<Gone<I>> {
        self.slots.get(key)?;
        self.begin_close(key, reason);
        self.settle_slot(key)
    }

    pub(crate) fn set_capacity(&mut self, key: Key, capacity: usize) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.capacity = capacity;
        }
    }

    /// Those that may be lent, or looked at.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.order.iter().copied().collect()
    }

    /// The next one that is shared, after this one, to look at it.
    pub(crate) fn next_shared(&mut self, after: Option<Key>) -> Option<(Key, I)> {
        let later = |key: &&Key| after.is_none_or(|after| **key > after);
        let key = *self.order.iter().find(later)?;
        let slot = self.slots.get_mut(key)?;
        let item = slot.item.as_mut()?.share()?;
        slot.looks += 1;
        Some((key, item))
    }

    /// Lets nobody in from here on, and closes whatever is not in use; returns it, and who waited.
    pub(crate) fn shut(&mut self, phase: Phase, reason: Reason) -> (Vec<Gone<I>>, Vec<Waiter<W>>) {
        if self.phase != Phase::Closed {
            self.phase = phase;
        }
        let keys: Vec<_> = self.slots.iter().map(|(key, _)| key).collect();
        // Nobody is let in, so that none has to be looked for in it.
        self.order.clear();
        let gone = keys.into_iter().filter_map(|key| self.close(key, reason));
        let gone = gone.collect();
        (gone, self.line.take_all())
    }

    /// Keeps the target from being forgotten; says whether it was not too late.
    pub(crate) fn hold(&mut self) -> bool {
        let found = self.phase != Phase::Forgotten;
        self.hinges += usize::from(found);
        found
    }

    pub(crate) fn release(&mut self) {
        self.hinges -= 1;
        self.asked &= self.hinges > 0;
    }

    /// Says whether there is nothing to be taken care of.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.line.is_empty() && self.connecting == 0
    }

    /// Something is over by then, if not before.
    pub(super) fn expect_expiry(&mut self, at: Option<Instant>) {
        self.next_expiry = [self.next_expiry, at].into_iter().flatten().min();
    }

    /// How many drain outside of the limit, and are not known to be dead.
    pub(super) fn outside(&self) -> usize {
        self.slots.len() - self.live - self.spent - self.dead
    }

    /// It is lent no more; of several reasons, the worst counts.
    pub(super) fn begin_close(&mut self, key: Key, reason: Reason) {
        let shared = self.rules.shared;
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        match slot.state {
            SlotState::Closing(before) if !reason.outdoes(before) => return,
            SlotState::Closing(before) => self.spent -= usize::from(counts(shared, before)),
            SlotState::Live | SlotState::Retiring => {
                self.flopped |= reason == Reason::Dead && !slot.proven;
                self.live -= 1;
                self.retiring -= usize::from(slot.state == SlotState::Retiring);
            }
        }
        slot.state = SlotState::Closing(reason);
        self.spent += usize::from(counts(shared, reason));
        if reason.is_death() {
            self.dead += 1;
            self.closed.count(reason);
        }
        self.take_from_order(key);
    }

    fn take_from_order(&mut self, key: Key) {
        let place = if self.order.back() == Some(&key) {
            Some(self.order.len() - 1)
        } else {
            self.order.iter().position(|other| *other == key)
        };
        if let Some(place) = place {
            self.order.remove(place);
        }
    }

    /// What becomes of a slot after something came back, or it was closed.
    pub(super) fn settle_slot(&mut self, key: Key) -> Option<Gone<I>> {
        let max_uses = self.rules.max_uses;
        let room = self.live + self.connecting < self.rules.max_connections;
        let open = self.phase == Phase::Open && room;
        let slot = self.slots.get_mut(key)?;
        match slot.state {
            SlotState::Closing(Reason::Uses)
                if open && max_uses.is_some_and(|max| slot.uses < max) =>
            {
                // The last use did not take place, and no other connection took its room.
                slot.state = SlotState::Live;
                let expires = slot.expires;
                self.expect_expiry(expires);
                self.live += 1;
                self.spent -= 1;
                let place = self.order.partition_point(|other| *other < key);
                self.order.insert(place, key);
                None
            }
            SlotState::Closing(reason) if slot.lent == 0 && slot.looks == 0 => {
                let slot = self.slots.remove(key)?;
                self.spent -= usize::from(counts(self.rules.shared, reason));
                if reason.is_death() {
                    self.dead -= 1;
                } else {
                    self.closed.count(reason);
                }
                Some(Gone::slot(key, slot, reason))
            }
            SlotState::Closing(_) => None,
            SlotState::Live | SlotState::Retiring if self.rules.shared => None,
            SlotState::Live | SlotState::Retiring if slot.suspect => {
                self.suspects.push(key);
                None
            }
            SlotState::Live | SlotState::Retiring => {
                self.order.push_back(key);
                None
            }
        }
    }
}

/// Says whether a connection that drains counts: those do not that are of no use any more, nor do
/// shared ones that have been replaced.
fn counts(shared: bool, reason: Reason) -> bool {
    match reason {
        Reason::Lifetime => !shared,
        Reason::Dead | Reason::Invalid | Reason::Discarded => false,
        _ => true,
    }
}

/// An instant so far away that no clock can tell it is as good as any.
pub(super) fn far(now: Instant, interval: std::time::Duration) -> Instant {
    now.checked_add(interval)
        .unwrap_or(now + std::time::Duration::from_secs(60 * 60 * 24 * 365))
}

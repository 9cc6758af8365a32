use crate::line::{Turn, Waiter};
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::slot::Slot;
use crate::stock::{Loan, Phase, Refusal, Share, Stock};

impl<I: Share, W> Stock<I, W> {
    /// Lends to one who has just come, or to one who has come before, with that turn.
    pub(crate) fn lend(&mut self, turn: Option<Turn>) -> Result<Loan<I>, Refusal> {
        if let Some(refusal) = self.phase.refusal() {
            return Err(refusal);
        }
        let turn = turn.unwrap_or_else(|| self.line.turn());
        if self.line.is_before(turn) {
            return Err(Refusal::Full(turn));
        }
        let loan = self.take(turn);
        loan.ok_or(Refusal::Full(turn))
    }

    /// Lends to one who has just come, if nobody waits and the first choice has room; the short way
    /// for the usual case, after which `lend` decides.
    #[inline(always)]
    pub(crate) fn lend_at_once(&mut self) -> Option<Loan<I>> {
        if self.phase != Phase::Open || !self.line.is_empty() {
            return None;
        }
        let key = *if self.rules.shared {
            self.order.front()?
        } else {
            self.order.back()?
        };
        let slot = self.slots.get_mut(key)?;
        if !slot.has_room() || self.rules.max_uses.is_some() {
            return None;
        }
        let item = if self.rules.shared {
            slot.item.as_mut()?.share()?
        } else {
            self.order.pop_back();
            slot.item.take()?
        };
        self.reused += u64::from(slot.uses > 0);
        slot.uses += 1;
        slot.lent += 1;
        Some(Loan {
            key,
            item,
            lent: slot.lent,
            capacity: slot.capacity,
            turn: self.line.turn(),
        })
    }

    /// The first in line, and what it is lent; `None` if nobody waits, or there is nothing.
    pub(crate) fn grant(&mut self) -> Option<(Waiter<W>, Loan<I>)> {
        if self.line.is_empty() || self.phase != Phase::Open {
            return None;
        }
        let turn = self.line.first()?;
        let loan = self.take(turn)?;
        let waiter = self.line.pop()?;
        Some((waiter, loan))
    }

    /// Lends another connection to one who has found this one busy, and gives nothing back yet.
    pub(crate) fn lend_instead(&mut self, turn: Turn, busy: Key) -> Option<Loan<I>> {
        if self.phase != Phase::Open || self.line.is_before(turn) {
            return None;
        }
        let younger = |key: &Key| !self.rules.shared || *key > busy;
        let place = self.find(younger)?;
        self.take_at(place, turn)
    }

    fn take(&mut self, turn: Turn) -> Option<Loan<I>> {
        let place = self.find(|_| true)?;
        self.take_at(place, turn)
    }

    /// The place in the order of the one to be lent.
    fn find(&self, wanted: impl Fn(&Key) -> bool) -> Option<usize> {
        let has_room = |key: &Key| {
            let slot = self.slots.get(*key);
            wanted(key) && slot.is_some_and(Slot::has_room)
        };
        if self.rules.shared {
            self.order.iter().position(has_room)
        } else {
            self.order.iter().rposition(has_room)
        }
    }

    fn take_at(&mut self, place: usize, turn: Turn) -> Option<Loan<I>> {
        let key = *self.order.get(place)?;
        let slot = self.slots.get_mut(key)?;
        let item = slot.item.as_mut()?.share();
        let item = item.or_else(|| slot.item.take())?;
        self.reused += u64::from(slot.uses > 0);
        slot.lent += 1;
        slot.uses += 1;
        let (lent, capacity) = (slot.lent, slot.capacity);
        let used_up = self.rules.max_uses.is_some_and(|max| slot.uses >= max);
        if !self.rules.shared {
            self.order.remove(place);
        } else if used_up {
            self.begin_close(key, Reason::Uses);
        }
        Some(Loan {
            key,
            item,
            lent,
            capacity,
            turn,
        })
    }
}

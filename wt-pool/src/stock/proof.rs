use tokio::time::Instant;

use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::{Gone, Share, Stock};

impl<I: Share, W> Stock<I, W> {
    /// A call was dropped unanswered.
    pub(crate) fn suspect(&mut self, key: Key) {
        let shared = self.rules.shared;
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        if slot.is_live() && !slot.suspect {
            slot.suspect = true;
            if !slot.proving && (shared || slot.lent == 0) {
                self.suspects.push(key);
            }
            self.order.retain(|other| *other != key || shared);
        }
    }

    /// A call was answered: it is alive.
    pub(crate) fn vouch(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key) {
            // One that is being validated has left its place, and comes back by itself.
            if self.rules.shared || slot.item.is_none() && slot.lent > 0 {
                slot.suspect = false;
            }
        }
    }

    /// Those that have to prove that they are alive.
    pub(crate) fn take_suspects(&mut self) -> Vec<(Key, I)> {
        let keys = std::mem::take(&mut self.suspects);
        let suspects = keys.into_iter().filter_map(|key| {
            let slot = self.slots.get_mut(key)?;
            // One that was suspected, answered, and is suspected again may be here twice.
            if !slot.suspect || slot.proving {
                return None;
            }
            let item = slot.item.as_mut().and_then(Share::share);
            let item = item.or_else(|| slot.item.take())?;
            slot.proving = true;
            slot.looks += 1;
            Some((key, item))
        });
        suspects.collect()
    }

    /// It has proved to be alive.
    pub(crate) fn validated(&mut self, key: Key, item: I, now: Instant) -> Option<Gone<I>> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Some(Gone::stale(item));
        };
        slot.suspect = false;
        slot.proving = false;
        slot.looks -= 1;
        slot.put(item);
        if !self.rules.shared {
            slot.idleness.record(now);
        }
        self.settle_slot(key)
    }

    /// Takes one out to look at it, if nobody uses it; it keeps its place.
    pub(crate) fn check_out(&mut self, key: Key) -> Option<I> {
        let slot = self.slots.get_mut(key).filter(|slot| slot.is_live())?;
        let shared = slot.item.as_mut()?.share();
        let item = shared.or_else(|| slot.item.take())?;
        slot.looks += 1;
        Some(item)
    }

    /// What was looked at is to be closed, and does not come back.
    pub(crate) fn close_looked_at(&mut self, key: Key, reason: Reason) -> Option<Gone<I>> {
        self.slots.get_mut(key)?.looks -= 1;
        self.close(key, reason)
    }

    pub(crate) fn check_in(&mut self, key: Key, item: I) -> Option<Gone<I>> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Some(Gone::stale(item));
        };
        slot.looks -= 1;
        slot.put(item);
        if !slot.is_live() {
            return self.settle_slot(key);
        }
        if slot.suspect && !self.rules.shared {
            // It could not prove anything while it was away.
            self.suspects.push(key);
        }
        None
    }

    pub(crate) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }
}

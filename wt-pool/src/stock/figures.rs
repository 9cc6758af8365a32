use crate::stats::TargetStats;
use crate::stock::slot::Slot;
use crate::stock::{Share, Stock};

impl<I: Share, W> Stock<I, W> {
    pub(crate) fn stats(&self) -> TargetStats {
        let mut stats = TargetStats {
            open: self.slots.len() - self.dead,
            draining: self.slots.len() - self.dead - self.live,
            connecting: self.connecting,
            waiting: self.line.len(),
            opened: self.opened,
            failed: self.failed,
            closed: self.closed,
            reused: self.reused,
            timeouts: self.timeouts,
            ..TargetStats::default()
        };
        for (_, slot) in self.slots.iter() {
            stats.lent += slot.lent;
            if slot.is_dead() {
                continue;
            }
            if slot.lent == 0 {
                stats.idle += 1;
            } else {
                stats.in_use += 1;
            }
        }
        stats
    }

    /// How many connections are in use, and how many are being made.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        let in_use = |slot: &Slot<I>| slot.lent > 0 && !slot.is_dead();
        let in_use = self.slots.iter().filter(|(_, slot)| in_use(slot)).count();
        (in_use, self.connecting)
    }

    #[cfg(test)]
    pub(super) fn items(&self) -> impl Iterator<Item = &I> {
        self.slots.iter().filter_map(|(_, slot)| slot.item.as_ref())
    }

    #[cfg(test)]
    pub(super) fn could_lend(&self) -> bool {
        let all = self.order.iter().filter_map(|key| self.slots.get(*key));
        all.into_iter().any(Slot::has_room)
    }

    /// How many connections have not come back, or are in stock, those that are dead among them.
    pub(crate) fn left(&self) -> usize {
        self.slots.len()
    }

    /// How many connections may be lent.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failed
    }
}

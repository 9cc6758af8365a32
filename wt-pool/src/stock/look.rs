use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::model::{Item, World};

/// One who looks at a connection, or has it prove that it is alive.
pub(super) struct Look {
    pub(super) key: Key,
    pub(super) item: Item,
    pub(super) proof: bool,
}

/// The part of the model that looks at connections, while others go on with them.
impl World {
    /// One by its key, or the next one that is shared.
    pub(super) fn look(&mut self) {
        let found = if self.rng.bool() {
            let after = self.looks.last().map(|look| look.key);
            self.stock.next_shared(after)
        } else {
            let key = self.any_left();
            key.and_then(|key| Some((key, self.stock.check_out(key)?)))
        };
        if let Some((key, item)) = found {
            self.seen.looks += 1;
            self.begin_look(key, item, false);
        }
    }

    fn begin_look(&mut self, key: Key, item: Item, proof: bool) {
        let looks = self.looks_at(item.0);
        assert!(
            self.shared || looks + self.open[&item.0] == 0,
            "looked at while somebody has it"
        );
        self.seen.several_looks += u64::from(looks > 0);
        self.looks.push(Look { key, item, proof });
    }

    pub(super) fn end_look(&mut self) {
        if self.looks.is_empty() {
            return;
        }
        let look = self.looks.swap_remove(self.rng.usize(..self.looks.len()));
        let live = self.stock.slots.get(look.key);
        let live = live.is_some_and(|slot| slot.is_live());
        self.seen.late_verdicts += u64::from(!live);
        let gone = match self.rng.u32(..4) {
            0 => self.stock.close_looked_at(look.key, Reason::Invalid),
            _ if look.proof => self.stock.validated(look.key, look.item, self.now),
            _ => self.stock.check_in(look.key, look.item),
        };
        self.bury(gone);
    }

    /// A call is dropped unanswered, whoever has its connection by then.
    pub(super) fn suspect(&mut self) {
        if let Some(key) = self.any_left() {
            self.stock.suspect(key);
        }
    }

    pub(super) fn vouch(&mut self) {
        if let Some(key) = self.any_left() {
            self.stock.vouch(key);
        }
    }

    pub(super) fn prove(&mut self) {
        for (key, item) in self.stock.take_suspects() {
            self.seen.proofs += 1;
            self.begin_look(key, item, true);
        }
    }

    /// How many look at a connection, or have it prove that it is alive.
    pub(super) fn looks_at(&self, number: u64) -> usize {
        let looks = self.looks.iter();
        looks.filter(|look| look.item.0 == number).count()
    }

    /// As `any`, and those among them that are lent, or closed and not yet gone.
    fn any_left(&mut self) -> Option<Key> {
        let keys: Vec<_> = self.stock.slots.iter().map(|(key, _)| key).collect();
        (!keys.is_empty()).then(|| keys[self.rng.usize(..keys.len())])
    }
}

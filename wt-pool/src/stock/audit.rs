use std::time::Duration;

use crate::stock::Loan;
use crate::stock::look::Look;
use crate::stock::model::{Item, World};

/// What all that is outside of the stock must add up to.
impl World {
    /// Nothing is lost, nothing is more than it may be, and nobody sleeps who could be served.
    pub(super) fn check(&self) {
        let stats = self.stock.stats();
        let max = self.stock.rules.max_connections;
        assert_eq!(self.stock.left(), self.open.len());
        assert_eq!(stats.open, stats.idle + stats.in_use);
        assert_eq!(stats.lent, self.outside().count());
        assert_eq!(stats.waiting, self.waiting.len());
        assert_eq!(stats.connecting, self.connecting);
        assert_eq!(stats.opened, self.made);
        assert_eq!(stats.opened, stats.open as u64 + stats.closed.sum());
        let live = stats.open - stats.draining;
        let over = usize::from(self.shared && self.stock.rules.max_lifetime.is_some());
        let drain = self.stock.spent + self.stock.outside().saturating_sub(max);
        let counted = live + drain + stats.connecting;
        assert!(counted <= max + over, "more than the limit");
        assert_eq!(live, self.stock.live());
        self.check_places();
        if self.waiting.is_empty() {
            return self.check_demand(counted);
        }
        assert!(
            !self.stock.could_lend(),
            "somebody sleeps beside a free slot"
        );
        let paced = self.stock.demand(self.now + Duration::from_secs(2)) > 0;
        let full = counted >= max;
        assert!(
            full || stats.connecting > 0 || paced,
            "somebody sleeps for ever"
        );
    }

    /// The one that is open in the model alone: it was discarded, and its borrower had it.
    pub(super) fn missing(&self) -> u64 {
        let known: Vec<_> = self.stock.items().map(|item| item.0).collect();
        let outside: Vec<_> = self.outside().map(|loan| loan.item.0).collect();
        let gone = self.open.keys();
        let mut gone = gone.filter(|number| {
            !known.contains(number) && !outside.contains(number) && self.looks_at(**number) == 0
        });
        *gone.next().expect("one is gone")
    }

    fn outside(&self) -> impl Iterator<Item = &Loan<Item>> {
        self.lent.iter().chain(&self.seated)
    }

    /// Each connection has its place, once: lent, in stock, looked at, or about to prove that it
    /// is alive.
    fn check_places(&self) {
        let mut placed = Vec::new();
        for (key, slot) in self.stock.slots.iter() {
            let of_it = |look: &&Look| look.key == key;
            let looks = self.looks.iter().filter(of_it);
            let proofs = looks.clone().filter(|look| look.proof).count();
            assert_eq!(slot.looks, looks.count());
            assert!(proofs <= 1, "two proofs at once");
            if !slot.is_live() {
                continue;
            }
            let away = !self.shared && slot.lent + slot.looks > 0;
            let told = proofs == 1 || self.stock.suspects.contains(&key);
            assert!(!slot.suspect || away || told, "suspected for ever");
            if self.shared || slot.lent == 0 && !slot.suspect {
                placed.push(key);
            }
        }
        let mut order = self.stock.keys();
        order.sort();
        placed.sort();
        assert_eq!(order, placed);
    }

    /// Nobody waits: nothing is wanted but by who may ask again, and by the rules.
    fn check_demand(&self, counted: usize) {
        let rules = &self.stock.rules;
        if rules.min_idle > 0 || self.stock.retiring > 0 {
            return;
        }
        let nothing = self.stock.live() + self.connecting == 0;
        let asked = self.asked && nothing && counted < rules.max_connections;
        let later = self.now + Duration::from_secs(2);
        assert_eq!(self.stock.demand(later), usize::from(asked));
    }
}

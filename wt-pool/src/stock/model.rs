//! A million random operations, each order of which is legal, against a model that only counts.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::line::{Turn, Waiter};
use crate::rules::Rules;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::look::Look;
use crate::stock::{Loan, Phase, Refusal, Return, Share, Stock};

/// A connection, by its number; shared or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item(pub(super) u64, bool);

impl Share for Item {
    fn share(&mut self) -> Option<Self> {
        self.1.then(|| self.clone())
    }

    fn keep(&mut self, lease: Self) {
        assert_eq!((&lease, self.1), (&*self, true));
    }
}

/// All that is outside of the stock, and what it must add up to.
pub(super) struct World {
    pub(super) rng: fastrand::Rng,
    pub(super) now: Instant,
    pub(super) stock: Stock<Item, u64>,
    pub(super) shared: bool,
    /// At most one waits at a time.
    quiet: bool,
    pub(super) lent: Vec<Loan<Item>>,
    /// Who waits, by turn: the model's line.
    pub(super) waiting: BTreeMap<Turn, bool>,
    /// Handed over, and not yet taken: the seats of those who may still go away.
    pub(super) seated: Vec<Loan<Item>>,
    pub(super) looks: Vec<Look>,
    pub(super) connecting: usize,
    pub(super) made: u64,
    /// Each connection that is open, and how many slots of it are outside.
    pub(super) open: BTreeMap<u64, usize>,
    /// Somebody asked, did not wait, and may ask again.
    pub(super) asked: bool,
    pub(super) seen: Seen,
}

/// How often what is rare has happened.
#[derive(Debug, Default)]
pub(super) struct Seen {
    served: u64,
    asked: u64,
    pub(super) looks: u64,
    /// Of one connection, at once.
    pub(super) several_looks: u64,
    pub(super) proofs: u64,
    /// Of a connection that was closed meanwhile.
    pub(super) late_verdicts: u64,
}

impl World {
    fn new(seed: u64, shared: bool, max: usize, seen: Seen) -> Self {
        let now = Instant::now();
        let mut rules = Rules::new(max);
        let mut rng = fastrand::Rng::with_seed(seed);
        rules.shared = shared;
        rules.max_waiters = 12;
        rules.max_uses = rng.bool().then_some(5);
        rules.max_lifetime = rng.bool().then_some(Duration::from_secs(50));
        rules.idle_timeout = rng.bool().then_some(Duration::from_secs(20));
        rules.min_idle = rng.usize(..2);
        Self {
            now,
            stock: Stock::new(rules, now),
            shared,
            quiet: rng.bool(),
            rng,
            lent: Vec::new(),
            waiting: BTreeMap::new(),
            seated: Vec::new(),
            looks: Vec::new(),
            connecting: 0,
            made: 0,
            open: BTreeMap::new(),
            asked: false,
            seen,
        }
    }

    fn step(&mut self) {
        match self.rng.u32(..100) {
            0..28 if self.quiet && !self.waiting.is_empty() => self.leave(),
            0..28 => self.come(),
            28..50 => self.come_back(),
            50..57 => self.leave(),
            57..63 => self.take_seat(),
            63..76 => self.connect(),
            76..80 => self.pass_time(),
            80..82 => self.close_one(),
            82..84 => self.change_capacity(),
            84..88 => self.look(),
            88..92 => self.end_look(),
            92..94 => self.suspect(),
            94..95 => self.vouch(),
            95..96 => self.prove(),
            96..98 => self.hold_or_release(),
            _ => self.retry(),
        }
        if self.rng.u32(..8) == 0 {
            // Before those who wait are served: it overtakes nobody.
            self.come();
        }
        self.serve();
        self.check();
    }

    fn come(&mut self) {
        let at_once = self.rng.bool().then(|| self.stock.lend_at_once()).flatten();
        if let Some(loan) = at_once {
            return self.lend(loan);
        }
        match self.stock.lend(None) {
            Ok(loan) => self.lend(loan),
            Err(Refusal::Full(turn)) => {
                let patient = self.rng.bool();
                let seat = self.made;
                let waiter = Waiter {
                    turn,
                    patient,
                    seat,
                };
                match self.stock.wait(waiter, false) {
                    Ok(()) => drop(self.waiting.insert(turn, patient)),
                    Err(refusal) => {
                        assert_eq!(refusal, Refusal::QueueFull);
                        assert!(self.waiting.len() >= 12);
                    }
                }
            }
            Err(refusal) => panic!("refused for no reason: {refusal:?}"),
        }
    }

    fn lend(&mut self, loan: Loan<Item>) {
        assert!(self.waiting.is_empty(), "somebody was overtaken");
        self.count_out(&loan);
        self.lent.push(loan);
    }

    fn count_out(&mut self, loan: &Loan<Item>) {
        let looks = self.looks_at(loan.item.0);
        assert!(self.shared || looks == 0, "lent while it is looked at");
        let outside = self.open.get_mut(&loan.item.0).expect("it is open");
        *outside += 1;
        assert!(
            self.shared || *outside == 1,
            "two borrowers of one connection"
        );
        assert_eq!(*outside, loan.lent);
        assert!(*outside <= loan.capacity);
        self.seen.served += 1;
    }

    fn come_back(&mut self) {
        let Some(loan) = self.pick() else {
            return;
        };
        *self.open.get_mut(&loan.item.0).expect("it is open") -= 1;
        let easy = self.rng.bool();
        match self.rng.u32(..10) {
            0 => self.back(&loan, Return::Done(Reason::Discarded)),
            1 => self.back(&loan, Return::Unused(loan.item.clone())),
            _ if easy => {
                let now = (!self.shared).then_some(self.now);
                let item = loan.item.clone();
                if let Err(item) = self.stock.take_back_at_once(loan.key, item, now) {
                    self.back(&loan, Return::Used(item));
                }
            }
            _ => self.back(&loan, Return::Used(loan.item.clone())),
        }
    }

    fn back(&mut self, loan: &Loan<Item>, back: Return<Item>) {
        let now = (!self.shared).then_some(self.now);
        let gone = self.stock.give_back(loan.key, back, now);
        self.bury(gone);
    }

    fn pick(&mut self) -> Option<Loan<Item>> {
        let place = self.rng.usize(..self.lent.len().max(1));
        (place < self.lent.len()).then(|| self.lent.swap_remove(place))
    }

    /// One who waits goes away, before or after it was handed something.
    fn leave(&mut self) {
        if self.rng.bool()
            && let Some(loan) = self.seated.pop()
        {
            *self.open.get_mut(&loan.item.0).expect("it is open") -= 1;
            return self.back(&loan, Return::Unused(loan.item.clone()));
        }
        let place = self.rng.usize(..self.waiting.len().max(1));
        if let Some(turn) = self.waiting.keys().nth(place).copied() {
            let left = self.stock.leave(turn).expect("it waits");
            assert_eq!(self.waiting.remove(&turn), Some(left.patient));
            let nothing = self.stock.live() + self.connecting + self.waiting.len() == 0;
            let asked = left.patient && nothing && self.stock.hinges > 0;
            self.asked |= asked;
            self.seen.asked += u64::from(asked);
        }
    }

    fn take_seat(&mut self) {
        self.lent.extend(self.seated.pop());
    }

    /// What the keeper does: begins what is wanted, and ends what is under way.
    fn connect(&mut self) {
        for _ in 0..self.stock.demand(self.now) {
            self.stock.connect_begun();
            self.connecting += 1;
            self.asked = false;
        }
        if self.connecting == 0 {
            return;
        }
        self.connecting -= 1;
        match self.rng.u32(..10) {
            0 => {
                let failed = self.stock.connect_failed(self.now, Duration::from_secs(1));
                for waiter in failed {
                    assert_eq!(self.waiting.remove(&waiter.turn), Some(false));
                }
                assert!(self.waiting.values().all(|patient| *patient));
            }
            1 => self.stock.connect_abandoned(),
            _ => {
                self.made += 1;
                let item = Item(self.made, self.shared);
                let capacity = if self.shared { self.rng.usize(..4) } else { 1 };
                let expires = self.stock.rules.end_of_life(self.now, self.rng.f64());
                self.stock.connected();
                self.open.insert(self.made, 0);
                self.stock.add(self.made, item, capacity, expires, self.now);
                let replaced = self.stock.replace();
                self.bury(replaced);
            }
        }
    }

    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.u64(..5000));
        let over = self.stock.expire_lifetimes(self.now);
        self.bury(over);
        let idle = self.stock.expire_idle(self.now, 3);
        self.bury(idle);
    }

    fn close_one(&mut self) {
        if let Some(key) = self.any() {
            let gone = self.stock.close(key, Reason::Dead);
            self.bury(gone);
            // A stale key does nothing.
            let again = self.stock.close(key, Reason::Dead);
            assert!(again.is_none());
        }
    }

    fn change_capacity(&mut self) {
        if let Some(key) = self.any().filter(|_| self.shared) {
            self.stock.set_capacity(key, self.rng.usize(..4));
        }
    }

    fn hold_or_release(&mut self) {
        if self.stock.hinges == 0 || self.rng.bool() {
            assert!(self.stock.hold());
        } else {
            self.stock.release();
            self.asked &= self.stock.hinges > 0;
        }
    }

    /// One who was lent a connection that was of no use goes back to where it stood.
    fn retry(&mut self) {
        let Some(loan) = self.pick() else {
            return;
        };
        let gone = self.stock.close(loan.key, Reason::Dead);
        assert!(gone.is_none());
        let waiter = Waiter {
            turn: loan.turn,
            patient: true,
            seat: 0,
        };
        self.stock.wait(waiter, true).expect("it comes back");
        self.waiting.insert(loan.turn, true);
        *self.open.get_mut(&loan.item.0).expect("it is open") -= 1;
        self.back(&loan, Return::Done(Reason::Dead));
    }

    fn any(&mut self) -> Option<Key> {
        let keys = self.stock.keys();
        (!keys.is_empty()).then(|| keys[self.rng.usize(..keys.len())])
    }

    fn serve(&mut self) {
        while let Some((waiter, loan)) = self.stock.grant() {
            let first = self.waiting.pop_first().expect("somebody waits");
            assert_eq!(waiter.turn, first.0, "somebody was overtaken");
            self.count_out(&loan);
            self.seated.push(loan);
        }
    }

    pub(super) fn bury(&mut self, gone: impl IntoIterator<Item = super::Gone<Item>>) {
        for gone in gone {
            if gone.end.is_some() {
                // It is known by what is left of it: those that are open, and not in the stock.
                assert!(self.stock.left() < self.open.len());
                let number = gone.item().map(|item| item.0);
                let number = number.unwrap_or_else(|| self.missing());
                assert_eq!(self.open.remove(&number), Some(0), "closed in use");
                assert_eq!(self.looks_at(number), 0, "closed while it was looked at");
            }
        }
    }
}

#[test]
fn nothing_is_lost_under_any_order_of_a_million_operations() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut seeds = fastrand::Rng::with_seed(seed);
    let mut seen = Seen::default();
    for run in 0..500 {
        let (shared, max) = (run % 2 == 0, 1 + run % 5);
        let mut world = World::new(seeds.u64(..), shared, max, seen);
        for _ in 0..2000 {
            world.step();
        }
        drained(&mut world);
        seen = world.seen;
    }
    let looks = [seen.looks, seen.several_looks, seen.late_verdicts];
    let rare = [seen.asked, seen.proofs].into_iter().chain(looks);
    assert!(seen.served > 50_000, "{seen:?}");
    assert!(rare.min() > Some(1000), "{seen:?}");
}

/// In the end all comes back, and nothing is left.
fn drained(world: &mut World) {
    let (gone, waiters) = world.stock.shut(Phase::Draining, Reason::Drained);
    world.bury(gone);
    assert_eq!(waiters.len(), world.waiting.len());
    world.waiting.clear();
    while let Some(loan) = world.lent.pop().or_else(|| world.seated.pop()) {
        *world.open.get_mut(&loan.item.0).expect("it is open") -= 1;
        world.back(&loan, Return::Used(loan.item.clone()));
    }
    while !world.looks.is_empty() {
        world.end_look();
    }
    assert!(world.open.is_empty());
    assert_eq!(world.stock.stats().open, 0);
}

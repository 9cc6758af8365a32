//! A million random operations, each order of which is legal, against a model that only counts.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::line::{Turn, Waiter};
use crate::rules::Rules;
use crate::slots::Key;
use crate::stats::Reason;
use crate::stock::{Loan, Phase, Refusal, Return, Share, Stock};

/// A connection, by its number; shared or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item(u64, bool);

impl Share for Item {
    fn share(&mut self) -> Option<Self> {
        self.1.then(|| self.clone())
    }

    fn keep(&mut self, lease: Self) {
        assert_eq!((&lease, self.1), (&*self, true));
    }
}

/// All that is outside of the stock, and what it must add up to.
struct World {
    rng: fastrand::Rng,
    now: Instant,
    stock: Stock<Item, u64>,
    shared: bool,
    lent: Vec<Loan<Item>>,
    /// Who waits, by turn: the model's line.
    waiting: BTreeMap<Turn, bool>,
    /// Handed over, and not yet taken: the seats of those who may still go away.
    seated: Vec<Loan<Item>>,
    connecting: usize,
    made: u64,
    /// Each connection that is open, and how many slots of it are outside.
    open: BTreeMap<u64, usize>,
    served: u64,
}

impl World {
    fn new(seed: u64, shared: bool, max: usize) -> Self {
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
            rng,
            shared,
            lent: Vec::new(),
            waiting: BTreeMap::new(),
            seated: Vec::new(),
            connecting: 0,
            made: 0,
            open: BTreeMap::new(),
            served: 0,
        }
    }

    fn step(&mut self) {
        match self.rng.u32(..100) {
            0..30 => self.come(),
            30..55 => self.come_back(),
            55..62 => self.leave(),
            62..70 => self.take_seat(),
            70..85 => self.connect(),
            85..90 => self.pass_time(),
            90..93 => self.close_one(),
            93..96 => self.change_capacity(),
            96..98 => self.look_at_one(),
            _ => self.retry(),
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
        let outside = self.open.get_mut(&loan.item.0).expect("it is open");
        *outside += 1;
        assert!(
            self.shared || *outside == 1,
            "two borrowers of one connection"
        );
        assert_eq!(*outside, loan.lent);
        assert!(*outside <= loan.capacity);
        self.served += 1;
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
            assert!(self.stock.line.leave(turn).is_some());
            self.waiting.remove(&turn);
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

    fn look_at_one(&mut self) {
        let Some(key) = self.any() else {
            return;
        };
        let Some(item) = self.stock.check_out(key) else {
            return;
        };
        if self.rng.bool() {
            let gone = self.stock.close(key, Reason::Removed);
            assert!(gone.is_none(), "closed while it was looked at");
            self.bury(gone);
        }
        let gone = if self.rng.bool() {
            self.stock.check_in(key, item)
        } else {
            self.stock.close_looked_at(key, Reason::Dead)
        };
        self.bury(gone);
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

    fn bury(&mut self, gone: impl IntoIterator<Item = super::Gone<Item>>) {
        for gone in gone {
            if gone.end.is_some() {
                // It is known by what is left of it: those that are open, and not in the stock.
                assert!(self.stock.left() < self.open.len());
                let number = gone.item().map(|item| item.0);
                let number = number.unwrap_or_else(|| self.missing());
                assert_eq!(self.open.remove(&number), Some(0), "closed in use");
            }
        }
    }

    /// The one that is open in the model alone: it was discarded, and its borrower had it.
    fn missing(&self) -> u64 {
        let known: Vec<_> = self.stock.items().map(|item| item.0).collect();
        let outside: Vec<_> = self.outside().map(|loan| loan.item.0).collect();
        let gone = self.open.keys();
        let mut gone = gone.filter(|number| !known.contains(number) && !outside.contains(number));
        *gone.next().expect("one is gone")
    }

    fn outside(&self) -> impl Iterator<Item = &Loan<Item>> {
        self.lent.iter().chain(&self.seated)
    }

    /// Nothing is lost, nothing is more than it may be, and nobody sleeps who could be served.
    fn check(&self) {
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
        if self.waiting.is_empty() {
            return;
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
}

#[test]
fn nothing_is_lost_under_any_order_of_a_million_operations() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut seeds = fastrand::Rng::with_seed(seed);
    let mut served = 0;
    for run in 0..500 {
        let (shared, max) = (run % 2 == 0, 1 + run % 5);
        let mut world = World::new(seeds.u64(..), shared, max);
        for _ in 0..2000 {
            world.step();
        }
        served += world.served;
        drained(&mut world);
    }
    assert!(served > 100_000, "{served}");
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
    assert!(world.open.is_empty());
    assert_eq!(world.stock.stats().open, 0);
}

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::caught::caught;
use crate::common::Common;
use crate::error::PoolError;
use crate::hand_off::HandOff;
use crate::lease::Item;
use crate::line::{Turn, Waiter};
use crate::lock::Lock;
use crate::pooled::Pooled;
use crate::slots::Key;
use crate::stats::{Reason, TargetStats};
use crate::stock::{Gone, Loan, Phase, Refusal, Return, Stock};
use crate::wakes::Wakes;

pub(crate) type Seat<C> = Arc<HandOff<Result<Loan<Item<C>>, PoolError>>>;
pub(crate) type HomeStock<C> = Stock<Item<C>, Seat<C>>;

/// Where the connections of one target are at home.
pub(crate) struct Home<C> {
    pub(crate) stock: Lock<HomeStock<C>>,
    pub(crate) hash: u64,
    pub(crate) common: Arc<Common<C>>,
    /// Tells the keeper that there is something to do.
    pub(crate) rouse: Arc<Notify>,
    /// Tells those who warm or drain it that they should look again.
    pub(crate) changed: Notify,
    /// Gone with the pool's last handle.
    pub(crate) owner: Weak<dyn Owner<C>>,
    /// The last failure, shared by who asks why.
    pub(crate) last_failure: Lock<Option<PoolError>>,
}

/// What a home needs of its pool.
pub(crate) trait Owner<C>: Send + Sync {
    /// Sees to it that a task takes care of this home.
    fn keep(&self, home: &Arc<Home<C>>);
    /// Forgets this home if it is empty, and no task takes care of it.
    fn forget(&self, home: &Arc<Home<C>>);
}

/// What is lent; or what has to be given back, because the connection has less room by now.
pub(crate) type Accepted<C> = Result<Pooled<C>, Pooled<C>>;

/// How one who wants a connection fares at first.
pub(crate) enum Entry<C> {
    Lent(Pooled<C>),
    Waits(Turn, Seat<C>),
    Refused(Refusal),
}

impl<C> Home<C> {
    pub(crate) fn new(common: Arc<Common<C>>, hash: u64, owner: Weak<dyn Owner<C>>) -> Arc<Self> {
        Arc::new(Self {
            stock: Lock::new(Stock::new(common.rules, Instant::now())),
            hash,
            common,
            rouse: Arc::default(),
            changed: Notify::new(),
            owner,
            last_failure: Lock::new(None),
        })
    }

    /// Lends a connection, or puts the caller in line, in the place of its turn if it has one.
    pub(crate) fn enter(
        self: &Arc<Self>,
        mut turn: Option<Turn>,
        patient: bool,
        comes_back: bool,
    ) -> Entry<C> {
        let mut asked = false;
        // Kept until there is another entry, so that the home is not forgotten in between.
        let mut _unused = None;
        loop {
            let mut stock = self.stock.lock();
            match stock.lend(turn) {
                Ok(loan) => {
                    drop(stock);
                    match self.accept(loan, patient) {
                        Ok(pooled) => return Entry::Lent(pooled),
                        Err(excess) => {
                            turn = Some(excess.turn());
                            _unused = Some(excess);
                        }
                    }
                }
                Err(Refusal::Full(full)) if !asked && stock.rules.shared && stock.live() > 0 => {
                    drop(stock);
                    asked = true;
                    turn = Some(full);
                    self.ask_capacities();
                }
                Err(Refusal::Full(turn)) => {
                    let seat = Arc::new(HandOff::new());
                    let waiter = Waiter {
                        turn,
                        patient,
                        seat: Arc::clone(&seat),
                    };
                    let waits = stock.wait(waiter, comes_back);
                    drop(stock);
                    self.rouse.notify_one();
                    return match waits {
                        Ok(()) => Entry::Waits(turn, seat),
                        Err(refusal) => Entry::Refused(refusal),
                    };
                }
                Err(refusal) => return Entry::Refused(refusal),
            }
        }
    }

    /// Lends a connection if that is nothing special.
    #[inline(always)]
    pub(crate) fn lend(self: &Arc<Self>, patient: bool) -> Option<Accepted<C>> {
        let home = Arc::clone(self);
        let mut stock = self.stock.lock();
        let loan = stock.lend_at_once()?;
        let (lent, known) = (loan.lent, loan.capacity);
        // Under the lock, as long as all of the loan is in registers; nobody's code runs here.
        let pooled = Pooled::new(loan, patient, home);
        drop(stock);
        Some(self.draw(pooled, lent, known))
    }

    /// Another connection for one who has found this one busy.
    pub(crate) fn lend_instead(self: &Arc<Self>, busy: &Pooled<C>, last: Key) -> Option<Pooled<C>> {
        let loan = self.stock.lock().lend_instead(busy.turn(), last)?;
        self.accept(loan, busy.is_patient()).ok()
    }

    /// Makes of a loan what a borrower holds; an error if the connection has less room by now, with
    /// what is not to be used.
    pub(crate) fn accept(self: &Arc<Self>, loan: Loan<Item<C>>, patient: bool) -> Accepted<C> {
        let (lent, known) = (loan.lent, loan.capacity);
        self.draw(Pooled::new(loan, patient, Arc::clone(self)), lent, known)
    }

    /// Has it take a handle of its own if it is shared; it fits into what was known of the room.
    #[inline(always)]
    fn draw(&self, mut pooled: Pooled<C>, lent: usize, known: usize) -> Accepted<C> {
        if self.common.rules.min_idle > 0 {
            self.rouse.notify_one();
        }
        // Somebody's code: what is lent comes back if that panics.
        match pooled.draw() {
            Some(capacity) if capacity != known => self.changed(pooled, lent, capacity),
            _ => Ok(pooled),
        }
    }

    /// The connection has more room than was known, or less.
    #[cold]
    fn changed(&self, pooled: Pooled<C>, lent: usize, capacity: usize) -> Accepted<C> {
        self.change(|stock| stock.set_capacity(pooled.key(), capacity));
        if lent > capacity {
            return Err(pooled);
        }
        Ok(pooled)
    }

    /// What has been used comes back.
    #[inline]
    pub(crate) fn take_back(&self, lease: Item<C>) {
        // Nobody needs to know to the moment since when a shared connection is idle.
        let now = (!lease.is_shared()).then(Instant::now);
        let mut stock = self.stock.lock();
        match stock.take_back_at_once(lease.key, lease, now) {
            Ok(()) => {
                drop(stock);
                self.offer_room();
            }
            Err(lease) => {
                drop(stock);
                self.give_back(lease.key, Return::Used(lease));
            }
        }
    }

    /// A connection that may be idle by now can make room for another target.
    pub(crate) fn offer_room(&self) {
        if let Some(room) = &self.common.room {
            room.offer();
        }
    }

    pub(crate) fn give_back(&self, key: Key, back: Return<Item<C>>) {
        let now = (!self.common.rules.shared).then(Instant::now);
        let mut wakes = Wakes::new();
        let mut stock = self.stock.lock();
        let gone = stock.give_back(key, back, now);
        let more = serve(&mut stock, &mut wakes);
        let calls = gone.is_some() || !stock.line.is_empty() || stock.has_suspects();
        drop(stock);
        wakes.wake();
        if calls {
            self.rouse.notify_one();
        } else {
            self.offer_room();
        }
        bury(gone.into_iter().chain(more));
    }

    /// Changes the stock, and then serves whoever can be served.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut HomeStock<C>) -> R) -> R {
        let mut wakes = Wakes::new();
        let mut stock = self.stock.lock();
        let result = change(&mut stock);
        let gone = serve(&mut stock, &mut wakes);
        drop(stock);
        wakes.wake();
        bury(gone);
        result
    }

    /// The connection is closed, now or when it comes back.
    pub(crate) fn close(&self, key: Key, reason: Reason) {
        self.closing(|stock| stock.close(key, reason));
    }

    /// As `close`, for one that is looked at, and does not come back.
    pub(crate) fn close_looked_at(&self, key: Key, reason: Reason) {
        self.closing(|stock| stock.close_looked_at(key, reason));
    }

    fn closing(&self, close: impl FnOnce(&mut HomeStock<C>) -> Option<Gone<Item<C>>>) {
        let gone = self.change(close);
        self.rouse.notify_one();
        bury(gone);
    }

    /// Lets nobody in from here on.
    pub(crate) fn shut(&self, phase: Phase, reason: Reason) {
        let (gone, waiters) = self.stock.lock().shut(phase, reason);
        let error = match phase {
            Phase::Draining => PoolError::Draining,
            _ => PoolError::Closed,
        };
        fail(waiters, &error);
        bury(gone);
        self.rouse.notify_one();
        self.changed.notify_waiters();
    }

    /// Somebody who waited goes away, and passes on what it was given.
    pub(crate) fn leave(&self, turn: Turn, seat: &Seat<C>) {
        if let Some(Ok(loan)) = seat.abandon() {
            self.give_back(loan.key, Return::Unused(loan.item));
            return;
        }
        let waiter = self.stock.lock().leave(turn);
        drop(waiter);
        self.rouse.notify_one();
    }

    /// Asks each shared connection how many may use it, the oldest first.
    pub(crate) fn ask_capacities(&self) {
        let mut after = None;
        loop {
            let next = self.stock.lock().next_shared(after);
            let Some((key, item)) = next else {
                return;
            };
            // One that cannot be told is none.
            let capacity = caught(|| item.capacity()).unwrap_or(0);
            let gone = self.change(|stock| {
                stock.set_capacity(key, capacity);
                stock.check_in(key, item)
            });
            if gone.is_some() {
                self.rouse.notify_one();
            }
            bury(gone);
            after = Some(key);
        }
    }

    /// Why somebody has waited in vain for so long.
    pub(crate) fn timed_out(&self, waited: Duration) -> PoolError {
        let mut stock = self.stock.lock();
        stock.timeouts += 1;
        let (in_use, connecting) = stock.in_use();
        PoolError::TimedOut {
            waited,
            in_use,
            connecting,
        }
    }

    /// What there is to say to one who would rather have waited on.
    pub(crate) fn why(&self, error: PoolError) -> PoolError {
        match error {
            PoolError::TimedOut { .. } => self.last_failure.lock().clone().unwrap_or(error),
            other => other,
        }
    }

    /// Keeps it from being forgotten; says whether it was not too late.
    pub(crate) fn hold(&self) -> bool {
        self.stock.lock().hold()
    }

    pub(crate) fn release(&self) {
        self.stock.lock().release();
        // It may wait for what nobody wants any more.
        self.rouse.notify_one();
    }

    /// Wants so many connections to be open; gives the number of failures so far.
    pub(crate) fn begin_warm(&self, connections: usize) -> Result<u64, PoolError> {
        let mut stock = self.stock.lock();
        let full = stock.warming() >= stock.rules.max_waiters;
        stock.warm(connections);
        if full {
            return Err(PoolError::QueueFull);
        }
        Ok(stock.failures())
    }

    pub(crate) fn end_warm(&self, connections: usize) {
        self.stock.lock().cool(connections);
        self.rouse.notify_one();
    }

    pub(crate) fn stats(&self) -> TargetStats {
        self.stock.lock().stats()
    }
}

/// Hands over what there is to those who wait, in order.
#[must_use = "it is to be dropped once no lock is held"]
fn serve<C>(stock: &mut HomeStock<C>, wakes: &mut Wakes) -> Vec<Gone<Item<C>>> {
    let mut gone = Vec::new();
    while let Some((waiter, loan)) = stock.grant() {
        match waiter.seat.give(Ok(loan)) {
            Ok(waker) => wakes.add(waker),
            // Its owner is about to leave the line.
            Err(given) => {
                if let Ok(loan) = given {
                    gone.extend(stock.give_back(loan.key, Return::Unused(loan.item), None));
                }
            }
        }
    }
    gone
}

/// Tells all of these the same.
pub(crate) fn fail<C>(waiters: Vec<Waiter<Seat<C>>>, error: &PoolError) {
    for waiter in waiters {
        if let Ok(Some(waker)) = waiter.seat.give(Err(error.clone())) {
            waker.wake();
        }
    }
}

/// Drops connections, with no lock held; one that panics keeps nobody from being told.
pub(crate) fn bury<C>(gone: impl IntoIterator<Item = Gone<Item<C>>>) {
    for gone in gone {
        if let Some((key, reason)) = gone.end {
            tracing::debug!(generation = key.generation, ?reason, "connection closed");
        }
        caught(|| drop(gone));
    }
}

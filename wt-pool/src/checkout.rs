use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::deadline::Deadline;
use crate::error::PoolError;
use crate::home::{Accepted, Entry, Home, Owner, Seat};
use crate::line::Turn;
use crate::pooled::Pooled;
use crate::stock::Refusal;

/// A connection being lent, the future of [`Pool`](crate::Pool)'s service.
///
/// It has its place in line from the call on. While it waits, it keeps the pool open.
///
/// # Panics
///
/// Panics if it has to wait outside of a tokio runtime with its time enabled.
///
/// # Cancel safety
///
/// Dropped, it leaves the line, and passes on what it was handed. A connect that it waited for goes
/// on, and what it makes joins the stock.
#[must_use = "futures do nothing unless polled"]
pub struct Checkout<C> {
    /// Lent, but not yet known to be alive; or nothing.
    lent: Pooled<C>,
    /// There once it had to wait, or could not.
    slow: Option<Box<Slow<C>>>,
}

struct Slow<C> {
    state: State<C>,
    deadline: Deadline,
}

enum State<C> {
    Waiting(Waiting<C>),
    Failed(PoolError),
    Done,
}

/// A place in line, left by drop.
struct Waiting<C> {
    turn: Turn,
    patient: bool,
    seat: Seat<C>,
    home: Arc<Home<C>>,
    /// Without it, nobody would make the connection.
    owner: Arc<dyn Owner<C>>,
    kept: bool,
    served: bool,
}

impl<C> Checkout<C> {
    /// At a home that is held; one that nobody finds any more is as good as closed.
    #[inline(always)]
    pub(crate) fn new(home: &Arc<Home<C>>, patient: bool) -> Self {
        match home.lend(patient) {
            Some(Ok(lent)) => Self { lent, slow: None },
            Some(Err(excess)) => Self::again(excess, Deadline::default()),
            None => Self::slow(home, patient),
        }
    }

    #[cold]
    fn slow(home: &Arc<Home<C>>, patient: bool) -> Self {
        let entry = home.enter(None, patient, false);
        Self::entered(home, entry, patient, Deadline::default())
    }

    /// At a home that may be forgotten meanwhile: `None`, and another one has to be asked for.
    pub(crate) fn at(home: &Arc<Home<C>>, patient: bool) -> Option<Self> {
        match home.lend(patient) {
            Some(Ok(lent)) => return Some(Self { lent, slow: None }),
            Some(Err(excess)) => return Some(Self::again(excess, Deadline::default())),
            None => {}
        }
        let entry = home.enter(None, patient, false);
        let found = !matches!(entry, Entry::Refused(Refusal::Forgotten));
        found.then(|| Self::entered(home, entry, patient, Deadline::default()))
    }

    /// Goes on with a place in line that was there before; what could not be used leaves after
    /// that, so that the home is not forgotten in between.
    #[cold]
    pub(crate) fn again(unused: Pooled<C>, deadline: Deadline) -> Self {
        let (home, patient) = (Arc::clone(unused.home()), unused.is_patient());
        let entry = home.enter(Some(unused.turn()), patient, true);
        drop(unused);
        Self::entered(&home, entry, patient, deadline)
    }

    fn entered(home: &Arc<Home<C>>, entry: Entry<C>, patient: bool, deadline: Deadline) -> Self {
        let (lent, state) = match entry {
            Entry::Lent(lent) => (lent, State::Done),
            Entry::Waits(turn, seat) => (Pooled::nothing(), waits(home, turn, patient, seat)),
            Entry::Refused(refusal) => (Pooled::nothing(), State::Failed(refusal.into())),
        };
        Self {
            lent,
            slow: Some(Box::new(Slow { state, deadline })),
        }
    }

    /// What has been waited so far, for who has to wait for more.
    pub(crate) fn take_deadline(&mut self) -> Deadline {
        self.slow
            .as_mut()
            .map_or_else(Deadline::default, |slow| mem::take(&mut slow.deadline))
    }

    #[inline]
    fn take_lent(&mut self) -> Pooled<C> {
        mem::replace(&mut self.lent, Pooled::nothing())
    }

    /// What was lent is dead: goes back where its turn belongs.
    #[cold]
    fn enter_again(&mut self) {
        let deadline = self.take_deadline();
        *self = Self::again(self.take_lent(), deadline);
    }

    /// What was lent is busy: takes another that is ready, if there is one.
    #[cold]
    fn prefer_ready(&mut self, cx: &mut Context<'_>) {
        let first = &self.lent;
        let mut last = first.key();
        // Kept until there is a choice: what goes back would be lent again at once.
        let mut busy = Vec::new();
        while let Some(mut other) = first.home().lend_instead(first, last) {
            last = other.key();
            match other.poll_usable(cx) {
                Poll::Ready(true) => {
                    self.lent = other;
                    return;
                }
                Poll::Ready(false) => {}
                Poll::Pending => busy.push(other),
            }
        }
    }

    /// Goes on until there is one to be had, given what is lent, and what has been said of it.
    #[cold]
    fn poll_on(
        &mut self,
        lent: Pooled<C>,
        mut usable: Option<Poll<bool>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Pooled<C>, PoolError>> {
        self.lent = lent;
        loop {
            match usable {
                Some(Poll::Ready(true)) => break,
                Some(Poll::Pending) => {
                    self.prefer_ready(cx);
                    break;
                }
                // Lent => Lent or Waiting
                Some(Poll::Ready(false)) => self.enter_again(),
                None => ready!(self.poll_slow(cx))?,
            }
            usable = ask(&mut self.lent, cx);
        }
        let mut lent = self.take_lent();
        lent.reached();
        Poll::Ready(Ok(lent))
    }

    /// Waits until something is lent.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PoolError>> {
        let slow = self.slow.as_mut().expect("polled after completion");
        let waiting = match &mut slow.state {
            State::Waiting(waiting) => waiting,
            State::Failed(error) => {
                let error = error.clone();
                slow.state = State::Done;
                return Poll::Ready(Err(error));
            }
            State::Done => panic!("polled after completion"),
        };
        let accepted = ready!(waiting.poll(&mut slow.deadline, cx));
        slow.state = State::Done;
        match accepted? {
            // Waiting => Lent, by hand-off
            Ok(lent) => self.lent = lent,
            // Waiting => Waiting or Lent, as the connection has less room by now
            Err(excess) => {
                let deadline = self.take_deadline();
                *self = Self::again(excess, deadline);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<C> Waiting<C> {
    fn poll(
        &mut self,
        deadline: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Accepted<C>, PoolError>> {
        if !self.kept {
            self.owner.keep(&self.home);
            self.kept = true;
        }
        if let Poll::Ready(given) = self.seat.poll_take(cx) {
            self.served = true;
            return Poll::Ready(given.map(|loan| self.home.accept(loan, self.patient)));
        }
        let limit = self.home.common.rules.acquire_timeout;
        let waited = ready!(deadline.poll(limit, cx));
        Poll::Ready(Err(self.home.timed_out(waited)))
    }
}

impl<C> Future for Checkout<C> {
    type Output = Result<Pooled<C>, PoolError>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut lent = self.take_lent();
        let usable = ask(&mut lent, cx);
        if usable != Some(Poll::Ready(true)) {
            return self.poll_on(lent, usable, cx);
        }
        lent.reached();
        Poll::Ready(Ok(lent))
    }
}

impl<C> Unpin for Checkout<C> {}

impl<C> Drop for Checkout<C> {
    /// Usually, what was lent has been passed on, and nothing is left.
    #[inline(always)]
    fn drop(&mut self) {
        if !self.lent.is_nothing() || self.slow.is_some() {
            give_up(self.take_lent(), self.slow.take());
        }
    }
}

impl<C> Drop for Waiting<C> {
    fn drop(&mut self) {
        if !self.served {
            self.home.leave(self.turn, &self.seat);
        }
        if !self.kept {
            self.owner.forget(&self.home);
        }
    }
}

impl<C> fmt::Debug for Checkout<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout")
            .field("waits", &self.lent.is_nothing())
            .finish_non_exhaustive()
    }
}

/// Asks what is lent, if anything, whether it can be used.
#[inline(always)]
fn ask<C>(lent: &mut Pooled<C>, cx: &mut Context<'_>) -> Option<Poll<bool>> {
    (!lent.is_nothing()).then(|| lent.poll_usable(cx))
}

/// What was not passed on goes back, before the place in line is left.
#[cold]
#[inline(never)]
fn give_up<C>(lent: Pooled<C>, slow: Option<Box<Slow<C>>>) {
    drop(lent);
    drop(slow);
}

fn waits<C>(home: &Arc<Home<C>>, turn: Turn, patient: bool, seat: Seat<C>) -> State<C> {
    let Some(owner) = home.owner.upgrade() else {
        home.leave(turn, &seat);
        return State::Failed(PoolError::Closed);
    };
    State::Waiting(Waiting {
        turn,
        patient,
        seat,
        home: Arc::clone(home),
        owner,
        kept: false,
        served: false,
    })
}

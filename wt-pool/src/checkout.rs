use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::deadline::Deadline;
use crate::error::PoolError;
use crate::home::{Accepted, Entry, Home, Owner, Seat};
use crate::line::Ticket;
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
    /// Lent, but not yet known to be alive.
    lent: Option<Pooled<C>>,
    ticket: Ticket,
    patient: bool,
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
    ticket: Ticket,
    seat: Seat<C>,
    home: Arc<Home<C>>,
    /// Without it, nobody would make the connection.
    owner: Arc<dyn Owner<C>>,
    kept: bool,
    served: bool,
}

impl<C> Checkout<C> {
    /// `None` if nobody finds this home any more, and another one has to be asked for.
    pub(crate) fn new(home: &Arc<Home<C>>, patient: bool) -> Option<Self> {
        match home.lend() {
            Some(Ok((pooled, ticket))) => Some(Self::lent(pooled, ticket, patient)),
            Some(Err((excess, ticket))) => {
                Some(Self::again(excess, ticket, patient, Deadline::default()))
            }
            None => Self::slow(home, patient),
        }
    }

    pub(crate) fn closed() -> Self {
        let state = State::Failed(PoolError::Closed);
        let deadline = Deadline::default();
        Self {
            lent: None,
            ticket: Ticket::NONE,
            patient: false,
            slow: Some(Box::new(Slow { state, deadline })),
        }
    }

    /// Goes on with a place in line that was there before; what could not be used leaves after
    /// that, so that the home is not forgotten in between.
    pub(crate) fn again(
        unused: Pooled<C>,
        ticket: Ticket,
        patient: bool,
        deadline: Deadline,
    ) -> Self {
        let home = Arc::clone(unused.home());
        let entry = home.enter(Some(ticket), patient, true);
        drop(unused);
        Self::entered(&home, entry, patient, deadline)
    }

    fn lent(pooled: Pooled<C>, ticket: Ticket, patient: bool) -> Self {
        Self {
            lent: Some(pooled),
            ticket,
            patient,
            slow: None,
        }
    }

    fn slow(home: &Arc<Home<C>>, patient: bool) -> Option<Self> {
        let entry = home.enter(None, patient, false);
        if matches!(entry, Entry::Refused(Refusal::Forgotten)) {
            return None;
        }
        Some(Self::entered(home, entry, patient, Deadline::default()))
    }

    fn entered(home: &Arc<Home<C>>, entry: Entry<C>, patient: bool, deadline: Deadline) -> Self {
        let (lent, ticket, state) = match entry {
            Entry::Lent(pooled, ticket) => (Some(pooled), ticket, State::Done),
            Entry::Waits(ticket, seat) => (None, ticket, waits(home, ticket, seat)),
            Entry::Refused(refusal) => (None, Ticket::NONE, State::Failed(refusal.into())),
        };
        Self {
            lent,
            ticket,
            patient,
            slow: Some(Box::new(Slow { state, deadline })),
        }
    }

    /// What has been waited so far, for who has to wait for more.
    pub(crate) fn take_deadline(&mut self) -> Deadline {
        self.slow
            .as_mut()
            .map_or_else(Deadline::default, |slow| mem::take(&mut slow.deadline))
    }

    /// The ticket by which it was lent.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Waits, and gives what has been lent.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Result<Pooled<C>, PoolError>> {
        loop {
            if let Some(lent) = self.lent.take() {
                return Poll::Ready(Ok(lent));
            }
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
                Ok((pooled, _)) => return Poll::Ready(Ok(pooled)),
                // Waiting => Waiting, as the connection has less room by now
                Err((excess, ticket)) => {
                    let deadline = self.take_deadline();
                    *self = Self::again(excess, ticket, self.patient, deadline);
                }
            }
        }
    }
}

impl<C> Waiting<C> {
    fn poll(
        &mut self,
        deadline: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Accepted<C>, PoolError>> {
        if !self.kept {
            self.kept = true;
            self.owner.keep(&self.home);
        }
        if let Poll::Ready(given) = self.seat.poll_take(cx) {
            self.served = true;
            return Poll::Ready(given.map(|loan| self.home.accept(loan)));
        }
        let limit = self.home.common.rules.acquire_timeout;
        let waited = ready!(deadline.poll(limit, cx));
        Poll::Ready(Err(self.home.timed_out(waited)))
    }
}

impl<C> Future for Checkout<C> {
    type Output = Result<Pooled<C>, PoolError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Some(pooled) = self.lent.take() else {
                self.lent = Some(ready!(self.poll_slow(cx))?);
                continue;
            };
            match usable(pooled, self.ticket, cx) {
                Ok(pooled) => return Poll::Ready(Ok(pooled.lend())),
                // Lent => Lent or Waiting, where its ticket belongs
                Err(dead) => {
                    let deadline = self.take_deadline();
                    *self = Self::again(dead, self.ticket, self.patient, deadline);
                }
            }
        }
    }
}

impl<C> Unpin for Checkout<C> {}

impl<C> Drop for Waiting<C> {
    fn drop(&mut self) {
        if !self.served {
            self.home.leave(self.ticket, &self.seat);
        }
    }
}

impl<C> fmt::Debug for Checkout<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout")
            .field("lent", &self.lent)
            .finish_non_exhaustive()
    }
}

/// This one if it is ready, else another that is, else this one all the same; it comes back if it is
/// dead.
fn usable<C>(
    mut pooled: Pooled<C>,
    ticket: Ticket,
    cx: &mut Context<'_>,
) -> Result<Pooled<C>, Pooled<C>> {
    match pooled.poll_usable(cx) {
        Poll::Ready(true) => return Ok(pooled),
        Poll::Ready(false) => return Err(pooled),
        Poll::Pending => {}
    }
    let mut last = pooled.key();
    // Kept until there is a choice: what goes back would be lent again at once.
    let mut busy = Vec::new();
    while let Some(mut other) = pooled.home().lend_instead(ticket, last) {
        last = other.key();
        match other.poll_usable(cx) {
            Poll::Ready(true) => return Ok(other),
            Poll::Ready(false) => {}
            Poll::Pending => busy.push(other),
        }
    }
    Ok(pooled)
}

fn waits<C>(home: &Arc<Home<C>>, ticket: Ticket, seat: Seat<C>) -> State<C> {
    let Some(owner) = home.owner.upgrade() else {
        home.leave(ticket, &seat);
        return State::Failed(PoolError::Closed);
    };
    State::Waiting(Waiting {
        ticket,
        seat,
        home: Arc::clone(home),
        owner,
        kept: false,
        served: false,
    })
}

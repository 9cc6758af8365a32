use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::deadline::Deadline;
use crate::error::PoolError;
use crate::home::{Entry, Home, Owner, Seat};
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
    state: State<C>,
    patient: bool,
    deadline: Deadline,
}

enum State<C> {
    /// Lent, but not yet known to be alive.
    Lent(Pooled<C>, Ticket),
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
        let entry = home.enter(None, patient, false);
        if matches!(entry, Entry::Refused(Refusal::Forgotten)) {
            return None;
        }
        Some(Self {
            state: entered(home, entry),
            patient,
            deadline: Deadline::default(),
        })
    }

    /// At a home that is held, and is not forgotten.
    pub(crate) fn of(home: &Arc<Home<C>>) -> Self {
        let entry = home.enter(None, false, false);
        Self {
            state: entered(home, entry),
            patient: false,
            deadline: Deadline::default(),
        }
    }

    /// Goes on with a place in line that was there before.
    pub(crate) fn again(dead: Pooled<C>, ticket: Ticket, deadline: Deadline) -> Self {
        Self {
            state: enter_again(ticket, dead, true),
            patient: true,
            deadline,
        }
    }

    /// What has been waited so far, for who has to wait for more.
    pub(crate) fn take_deadline(&mut self) -> Deadline {
        mem::take(&mut self.deadline)
    }

    pub(crate) fn poll_lent(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Pooled<C>, Ticket), PoolError>> {
        loop {
            self.state = match mem::replace(&mut self.state, State::Done) {
                // Lent => Done, if it is alive; else back to where the ticket belongs.
                State::Lent(pooled, ticket) => match usable(pooled, ticket, cx) {
                    Ok(pooled) => return Poll::Ready(Ok((pooled.lend(), ticket))),
                    Err(dead) => enter_again(ticket, dead, self.patient),
                },
                // Waiting => Lent or Failed, by hand-off or for want of it
                State::Waiting(mut waiting) => match self.poll_waiting(&mut waiting, cx) {
                    Poll::Pending => {
                        self.state = State::Waiting(waiting);
                        return Poll::Pending;
                    }
                    Poll::Ready(next) => next,
                },
                State::Failed(error) => return Poll::Ready(Err(error)),
                State::Done => panic!("polled after completion"),
            };
        }
    }

    fn poll_waiting(&mut self, waiting: &mut Waiting<C>, cx: &mut Context<'_>) -> Poll<State<C>> {
        if !waiting.kept {
            waiting.kept = true;
            waiting.owner.keep(&waiting.home);
        }
        if let Poll::Ready(given) = waiting.seat.poll_take(cx) {
            waiting.served = true;
            return Poll::Ready(match given.map(|loan| waiting.home.accept(loan)) {
                Ok(Ok((pooled, ticket))) => State::Lent(pooled, ticket),
                Ok(Err((excess, ticket))) => enter_again(ticket, excess, self.patient),
                Err(error) => State::Failed(error),
            });
        }
        let limit = waiting.home.common.rules.acquire_timeout;
        let waited = ready!(self.deadline.poll(limit, cx));
        Poll::Ready(State::Failed(waiting.home.timed_out(waited)))
    }
}

impl<C> Future for Checkout<C> {
    type Output = Result<Pooled<C>, PoolError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_lent(cx).map_ok(|(pooled, _)| pooled)
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
        let state = match self.state {
            State::Lent(..) => "lent",
            State::Waiting(_) => "waiting",
            State::Failed(_) => "failed",
            State::Done => "done",
        };
        f.debug_struct("Checkout")
            .field("state", &state)
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

/// Goes back in line; what could not be used leaves after that, so that the home is not forgotten
/// in between.
fn enter_again<C>(ticket: Ticket, unused: Pooled<C>, patient: bool) -> State<C> {
    let home = Arc::clone(unused.home());
    let entry = home.enter(Some(ticket), patient, true);
    drop(unused);
    entered(&home, entry)
}

fn entered<C>(home: &Arc<Home<C>>, entry: Entry<C>) -> State<C> {
    match entry {
        Entry::Lent(pooled, ticket) => State::Lent(pooled, ticket),
        Entry::Waits(ticket, seat) => waits(home, ticket, seat),
        Entry::Refused(refusal) => State::Failed(match refusal {
            Refusal::QueueFull => PoolError::QueueFull,
            Refusal::Draining => PoolError::Draining,
            // A home that is forgotten has nobody in it; nobody comes back to it.
            Refusal::Closed | Refusal::Forgotten | Refusal::Full(_) => PoolError::Closed,
        }),
    }
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

use std::mem;
use std::task::{Context, Poll, Waker};

use crate::lock::Lock;

/// Passes one thing from whoever has it to one who waits for it: it arrives once, or is given back
/// to the giver, or is left to the taker who goes away.
#[derive(Debug)]
pub(crate) struct HandOff<G>(Lock<State<G>>);

#[derive(Debug)]
enum State<G> {
    Waiting(Option<Waker>),
    Given(G),
    Over,
}

impl<G> HandOff<G> {
    pub(crate) fn new() -> Self {
        Self(Lock::new(State::Waiting(None)))
    }

    /// Hands it over; the waker is to be woken once no lock is held.
    ///
    /// # Errors
    ///
    /// Gives it back if nobody waits any more.
    pub(crate) fn give(&self, given: G) -> Result<Option<Waker>, G> {
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Over) {
            // Waiting => Given
            State::Waiting(waker) => {
                *state = State::Given(given);
                Ok(waker)
            }
            // One who was given something is not in line any more; what is there stays.
            other => {
                *state = other;
                Err(given)
            }
        }
    }

    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<G> {
        // Wakers are somebody else's code: cloned and dropped while nothing is locked.
        let mut waker = Some(cx.waker().clone());
        let mut state = self.0.lock();
        let taken = match mem::replace(&mut *state, State::Over) {
            // Given => Over
            State::Given(given) => Poll::Ready(given),
            State::Waiting(old) => {
                *state = State::Waiting(mem::replace(&mut waker, old));
                Poll::Pending
            }
            State::Over => Poll::Pending,
        };
        drop(state);
        taken
    }

    /// The taker goes away, and takes along what it was given already.
    pub(crate) fn abandon(&self) -> Option<G> {
        let state = mem::replace(&mut *self.0.lock(), State::Over);
        match state {
            State::Given(given) => Some(given),
            State::Waiting(_) | State::Over => None,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use tokio_test::task;

    use super::*;

    #[test]
    fn what_is_given_wakes_the_taker_and_arrives_once() {
        let hand_off = HandOff::new();
        let mut taker = task::spawn(());
        let pending = taker.enter(|cx, _| hand_off.poll_take(cx));

        let waker = hand_off.give(7).unwrap().unwrap();
        waker.wake();

        assert!(pending.is_pending());
        assert!(taker.is_woken());
        assert_eq!(taker.enter(|cx, _| hand_off.poll_take(cx)), Poll::Ready(7));
        assert_eq!(hand_off.abandon(), None);
    }

    #[test]
    fn nothing_can_be_given_to_one_who_has_gone() {
        let hand_off = HandOff::new();

        assert_eq!(hand_off.abandon(), None);

        assert_eq!(hand_off.give(7).err(), Some(7));
    }

    #[test]
    fn one_who_goes_takes_along_what_was_given() {
        let hand_off = HandOff::new();
        hand_off.give(7).unwrap();

        assert_eq!(hand_off.give(8).err(), Some(8));
        assert_eq!(hand_off.abandon(), Some(7));
    }

    #[test]
    fn the_last_waker_is_the_one_woken() {
        let hand_off = HandOff::new();
        let (mut first, mut last) = (task::spawn(()), task::spawn(()));
        for taker in [&mut first, &mut last] {
            assert!(taker.enter(|cx, _| hand_off.poll_take(cx)).is_pending());
        }

        hand_off.give(7).unwrap().unwrap().wake();

        assert!(!first.is_woken());
        assert!(last.is_woken());
    }
}

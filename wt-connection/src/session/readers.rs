use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::lock::Lock;
use crate::session::state::State;

/// Who waits for the next of what queues up in a session; the first to come is the first called.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// By their places, each of which is greater than the one before.
    waiting: VecDeque<(u64, Waker)>,
    next: u64,
}

/// Waits for the next of what `take` gives, which tells, too, whether it was waited for.
///
/// Whoever adds to the queue calls one reader. This costs less than `Notify`, since the queue is
/// locked in any case.
///
/// Cancel safe: one who was called, and takes nothing, calls the next.
pub(super) struct Next<'a, F> {
    state: &'a Lock<State>,
    readers: fn(&mut State) -> &mut Readers,
    take: F,
    place: Option<u64>,
    waited: bool,
}

impl Readers {
    /// Takes in who waits, or keeps it in its place if it has one and was not called.
    fn wait(&mut self, place: Option<u64>, waker: &Waker) -> u64 {
        if let Some((place, kept)) = place.and_then(|place| self.find(place)) {
            kept.clone_from(waker);
            return place;
        }
        let place = self.next;
        self.next += 1;
        self.waiting.push_back((place, waker.clone()));
        place
    }

    /// Gives the first who waits, to be woken once nothing is locked.
    pub(super) fn call(&mut self) -> Option<Waker> {
        self.waiting.pop_front().map(|(_, waker)| waker)
    }

    /// Gives all who wait.
    pub(super) fn call_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(_, waker)| waker)
    }

    /// Lets go of who waits there; says whether it was not called.
    fn leave(&mut self, place: u64) -> bool {
        let found = self.index(place);
        if let Some(index) = found {
            self.waiting.remove(index);
        }
        found.is_some()
    }

    fn find(&mut self, place: u64) -> Option<(u64, &mut Waker)> {
        let index = self.index(place)?;
        self.waiting
            .get_mut(index)
            .map(|(place, waker)| (*place, waker))
    }

    fn index(&self, place: u64) -> Option<usize> {
        let index = self
            .waiting
            .binary_search_by_key(&place, |(place, _)| *place);
        index.ok()
    }
}

impl<'a, F> Next<'a, F> {
    pub(super) fn new<T>(
        state: &'a Lock<State>,
        readers: fn(&mut State) -> &mut Readers,
        take: F,
    ) -> Self
    where
        F: FnMut(&mut State) -> Option<T>,
    {
        Self {
            state,
            readers,
            take,
            place: None,
            waited: false,
        }
    }
}

impl<T, F> Future for Next<'_, F>
where
    F: FnMut(&mut State) -> Option<T> + Unpin,
{
    type Output = (T, bool);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut state = this.state.lock();
        if let Some(taken) = (this.take)(&mut state) {
            if let Some(place) = this.place.take() {
                (this.readers)(&mut state).leave(place);
            }
            return Poll::Ready((taken, this.waited));
        }
        this.place = Some((this.readers)(&mut state).wait(this.place, cx.waker()));
        this.waited = true;
        Poll::Pending
    }
}

impl<F> Drop for Next<'_, F> {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let next = {
            let mut state = self.state.lock();
            let readers = (self.readers)(&mut state);
            if readers.leave(place) {
                None
            } else {
                readers.call()
            }
        };
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use tokio_test::{assert_pending, assert_ready_eq, task};

    use super::*;

    type Wait<'a> = task::Spawn<Next<'a, fn(&mut State) -> Option<Bytes>>>;

    fn state() -> Lock<State> {
        Lock::new(State::new(8, Arc::default()))
    }

    fn wait(state: &Lock<State>) -> Wait<'_> {
        let take: fn(&mut State) -> Option<Bytes> = |state| state.next_datagram()?.ok();
        let mut wait = task::spawn(Next::new(state, State::datagram_readers, take));
        assert_pending!(wait.poll());
        wait
    }

    /// Adds one, and calls who waits first.
    fn add(state: &Lock<State>, datagram: &'static [u8]) {
        let called = {
            let mut state = state.lock();
            state.push_datagram(datagram.into());
            state.datagram_readers().call()
        };
        if let Some(called) = called {
            called.wake();
        }
    }

    #[test]
    fn the_first_to_wait_is_the_first_called() {
        let state = state();
        let (mut first, mut second) = (wait(&state), wait(&state));

        add(&state, b"a");
        assert!(first.is_woken() && !second.is_woken());
        add(&state, b"b");
        assert!(second.is_woken());

        assert_ready_eq!(first.poll(), ("a".into(), true));
        assert_ready_eq!(second.poll(), ("b".into(), true));
    }

    #[test]
    fn who_was_called_and_takes_nothing_calls_the_next() {
        let state = state();
        let (first, mut second) = (wait(&state), wait(&state));

        add(&state, b"a");
        drop(first);

        assert!(second.is_woken());
        assert_ready_eq!(second.poll(), ("a".into(), true));
    }

    #[test]
    fn who_leaves_uncalled_is_called_no_more() {
        let state = state();
        let (first, mut second) = (wait(&state), wait(&state));

        drop(first);
        add(&state, b"a");

        assert!(second.is_woken());
        assert_ready_eq!(second.poll(), ("a".into(), true));
    }

    #[test]
    fn who_takes_what_another_was_called_for_leaves_that_one_waiting() {
        let state = state();
        let (mut first, mut second) = (wait(&state), wait(&state));

        add(&state, b"a");
        assert_ready_eq!(second.poll(), ("a".into(), true));
        assert_pending!(first.poll());

        assert!(!first.is_woken());
        add(&state, b"b");
        assert!(first.is_woken());
        assert_ready_eq!(first.poll(), ("b".into(), true));
    }

    #[test]
    fn who_is_polled_again_keeps_its_place() {
        let state = state();
        let (mut first, second) = (wait(&state), wait(&state));

        assert_pending!(first.poll());
        add(&state, b"a");

        assert!(first.is_woken() && !second.is_woken());
    }

    #[test]
    fn who_finds_something_has_not_waited() {
        let state = state();
        add(&state, b"a");
        let take: fn(&mut State) -> Option<Bytes> = |state| state.next_datagram()?.ok();

        let mut next = task::spawn(Next::new(&state, State::datagram_readers, take));

        assert_ready_eq!(next.poll(), ("a".into(), false));
    }

    #[test]
    fn all_are_called_at_the_end() {
        let state = state();
        let waiting: Vec<_> = (0..3).map(|_| wait(&state)).collect();

        let called: Vec<_> = state.lock().datagram_readers().call_all().collect();
        called.into_iter().for_each(Waker::wake);

        assert!(waiting.iter().all(task::Spawn::is_woken));
    }
}

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::lock::Lock;
use crate::session::state::State;
use crate::session::waiters::Waiters;

/// Waits for the next of what `take` gives, and tells, too, whether it was called for that.
///
/// Whoever adds to the queue calls one reader. This costs less than `Notify`, since the queue is
/// locked in any case.
///
/// Cancel safe: one who was called, and takes nothing, calls the next.
pub(super) struct Next<'a, F> {
    state: &'a Lock<State>,
    readers: fn(&mut State) -> &mut Waiters,
    take: F,
    place: Option<u64>,
}

impl<'a, F> Next<'a, F> {
    pub(super) fn new<T>(
        state: &'a Lock<State>,
        readers: fn(&mut State) -> &mut Waiters,
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
            let place = this.place.take();
            let left = place.and_then(|place| (this.readers)(&mut state).leave(place));
            // The drop of a waker is somebody else's code.
            drop(state);
            return Poll::Ready((taken, place.is_some() && left.is_none()));
        }
        let (place, _old) = (this.readers)(&mut state).wait(this.place, cx.waker());
        drop(state);
        this.place = Some(place);
        Poll::Pending
    }
}

impl<F> Drop for Next<'_, F> {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let mut state = self.state.lock();
        let readers = (self.readers)(&mut state);
        let left = readers.leave(place);
        let next = match left {
            Some(_) => None,
            None => readers.call(),
        };
        drop(state);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Wake, Waker};

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
        assert_ready_eq!(second.poll(), ("a".into(), false));
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
    fn who_finds_something_was_not_called() {
        let state = state();
        add(&state, b"a");
        let take: fn(&mut State) -> Option<Bytes> = |state| state.next_datagram()?.ok();

        let mut next = task::spawn(Next::new(&state, State::datagram_readers, take));

        assert_ready_eq!(next.poll(), ("a".into(), false));
    }

    #[test]
    fn a_waker_that_is_of_no_more_use_is_dropped_once_nothing_is_locked() {
        /// Looks at what it was locked with when it is dropped.
        struct Looks(Arc<Lock<State>>);

        impl Wake for Looks {
            fn wake(self: Arc<Self>) {}
        }

        impl Drop for Looks {
            fn drop(&mut self) {
                drop(self.0.lock());
            }
        }

        let state = Arc::new(state());
        let take: fn(&mut State) -> Option<Bytes> = |state| state.next_datagram()?.ok();
        let mut next = Next::new(&state, State::datagram_readers, take);
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Looks(Arc::clone(&state))));
            assert!(
                Pin::new(&mut next)
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        state.lock().push_datagram(b"a".as_slice().into());
        let waker = Waker::noop();
        let ready = Pin::new(&mut next).poll(&mut Context::from_waker(waker));

        assert_eq!(ready, Poll::Ready(("a".into(), false)));
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

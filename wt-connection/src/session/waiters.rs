use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

/// Who waits for one thing; the first to come is the first called.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// By their places, each of which is greater than the one before.
    waiting: VecDeque<(u64, Waker)>,
    next: u64,
}

impl Waiters {
    /// Takes in who waits, or keeps it in its place if it has one and was not called; gives the
    /// place, and a waker that is of no more use.
    pub(super) fn wait(&mut self, place: Option<u64>, waker: &Waker) -> (u64, Option<Waker>) {
        let kept = place.and_then(|place| self.index(place));
        if let Some((place, kept)) = kept.and_then(|index| self.waiting.get_mut(index)) {
            let other = !kept.will_wake(waker);
            let old = other.then(|| mem::replace(kept, waker.clone()));
            return (*place, old);
        }
        let place = self.next;
        self.next += 1;
        self.waiting.push_back((place, waker.clone()));
        (place, None)
    }

    /// Gives the first who waits, to be woken once nothing is locked.
    pub(super) fn call(&mut self) -> Option<Waker> {
        self.waiting.pop_front().map(|(_, waker)| waker)
    }

    /// Gives all who wait.
    pub(super) fn call_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        mem::take(&mut self.waiting)
            .into_iter()
            .map(|(_, waker)| waker)
    }

    /// Lets go of who waits there; `None` if it was called.
    pub(super) fn leave(&mut self, place: u64) -> Option<Waker> {
        let index = self.index(place)?;
        self.waiting.remove(index).map(|(_, waker)| waker)
    }

    fn index(&self, place: u64) -> Option<usize> {
        let index = self
            .waiting
            .binary_search_by_key(&place, |(place, _)| *place);
        index.ok()
    }
}

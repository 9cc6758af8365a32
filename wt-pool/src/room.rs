use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::lock::Lock;

/// The limit on the connections of all targets together, and the targets that wait for room.
#[derive(Debug)]
pub(crate) struct Room {
    max: usize,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    taken: usize,
    /// Each target is here once at most.
    hungry: VecDeque<Arc<Notify>>,
}

/// One connection's part of the limit, given back by drop.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Room>);

impl Room {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let state = Lock::new(State {
            taken: 0,
            hungry: VecDeque::new(),
        });
        Arc::new(Self { max, state })
    }

    /// Takes room for one connection; if there is none, or others came first, the target is told
    /// when it is its turn.
    pub(crate) fn take(self: &Arc<Self>, target: &Arc<Notify>) -> Option<Permit> {
        let mut state = self.state.lock();
        let place = state.place(target);
        if state.taken < self.max && place.unwrap_or(state.hungry.len()) == 0 {
            state.taken += 1;
            let _turn = place.and_then(|place| state.hungry.remove(place));
            drop(state);
            self.offer();
            return Some(Permit(Arc::clone(self)));
        }
        if place.is_none() {
            state.hungry.push_back(Arc::clone(target));
        }
        None
    }

    pub(crate) fn is_full(&self) -> bool {
        self.state.lock().taken >= self.max
    }

    /// The target wants no more.
    pub(crate) fn leave(&self, target: &Arc<Notify>) {
        let mut state = self.state.lock();
        if let Some(place) = state.place(target) {
            state.hungry.remove(place);
            drop(state);
            self.offer();
        }
    }

    /// There may be room: for who has waited longest, if anybody has.
    pub(crate) fn offer(&self) {
        let first = self.state.lock().hungry.front().cloned();
        if let Some(target) = first {
            target.notify_one();
        }
    }
}

impl State {
    fn place(&self, target: &Arc<Notify>) -> Option<usize> {
        self.hungry
            .iter()
            .position(|other| Arc::ptr_eq(other, target))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.lock().taken -= 1;
        self.0.offer();
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    #[test]
    fn there_is_no_room_beyond_the_limit() {
        let room = Room::new(2);
        let target = Arc::default();

        let first = room.take(&target);
        let _second = room.take(&target).unwrap();
        assert!(room.take(&target).is_none());

        drop(first);
        assert!(room.take(&target).is_some());
    }

    #[test]
    fn room_that_becomes_free_is_for_who_waited_longest() {
        let room = Room::new(1);
        let [owner, first, second] = [(); 3].map(|()| Arc::new(Notify::new()));
        let permit = room.take(&owner).unwrap();
        assert!(room.take(&first).is_none());
        assert!(room.take(&second).is_none());
        let mut told = task::spawn(first.notified());
        assert_pending!(told.poll());

        drop(permit);

        assert_ready!(told.poll());
        assert!(room.take(&second).is_none(), "it is not its turn");
        assert!(room.take(&first).is_some());
    }

    #[test]
    fn who_wants_no_more_lets_the_next_one_have_its_turn() {
        let room = Room::new(1);
        let [owner, first, second] = [(); 3].map(|()| Arc::new(Notify::new()));
        let permit = room.take(&owner);
        assert!(room.take(&first).is_none());
        assert!(room.take(&second).is_none());
        drop(permit);
        let mut told = task::spawn(second.notified());
        assert_pending!(told.poll());

        room.leave(&first);

        assert_ready!(told.poll());
        assert!(room.take(&second).is_some());
    }
}

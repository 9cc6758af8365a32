use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Waker;

use crate::lock::Lock;
use crate::session::waiters::Waiters;

/// Who waits until it may write, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Writers {
    waiters: Lock<Waiters>,
    /// Nobody waits while this is false.
    any: AtomicBool,
}

impl Writers {
    /// Takes in who waits, or keeps it in its place; gives the place, and a waker that is of no
    /// more use.
    ///
    /// From here on, whoever brings bytes wakes it: it has to look once more for those that came
    /// before.
    pub(super) fn wait(&self, place: Option<u64>, waker: &Waker) -> (u64, Option<Waker>) {
        let mut waiters = self.waiters.lock();
        self.any.store(true, SeqCst);
        waiters.wait(place, waker)
    }

    /// Lets go of who waits there.
    pub(super) fn leave(&self, place: u64) -> Option<Waker> {
        self.waiters.lock().leave(place)
    }

    /// Wakes all: each takes what it can get, and waits again for the rest.
    pub(super) fn wake(&self) {
        if !self.any.load(SeqCst) {
            return;
        }
        let mut waiters = self.waiters.lock();
        self.any.store(false, SeqCst);
        let woken = waiters.call_all();
        drop(waiters);
        woken.for_each(Waker::wake);
    }
}

use std::collections::BTreeMap;
use std::task::Waker;

/// Those who wait at a gate, first come, first woken.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

impl Waiters {
    /// Lets somebody wait, in the place that a ticket stands for if there is one still; gives the
    /// ticket, and a waker to be dropped without a lock.
    pub(crate) fn wait(&mut self, ticket: Option<u64>, waker: Waker) -> (u64, Option<Waker>) {
        let ticket = ticket.unwrap_or_else(|| self.ticket());
        (ticket, self.wakers.insert(ticket, waker))
    }

    /// The place of one who does not wait yet.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Gives the waker of one who does not wait any more, to be dropped without a lock.
    pub(crate) fn leave(&mut self, ticket: u64) -> Option<Waker> {
        self.wakers.remove(&ticket)
    }

    /// The one who has waited for longest.
    pub(crate) fn take_first(&mut self) -> Option<Waker> {
        self.wakers.pop_first().map(|(_, waker)| waker)
    }

    pub(crate) fn take_all(&mut self, wakers: &mut Vec<Waker>) {
        let all = std::mem::take(&mut self.wakers);
        wakers.extend(all.into_values());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }
}

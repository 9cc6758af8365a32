use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::fleet::actions::Actions;
use crate::fleet::model::Fleet;
use crate::fleet::record::Phase;
use crate::judge::{Id, Place};
use crate::later::later;
use crate::proof::PATIENCE;

impl<T: Clone> Fleet<T> {
    /// Whether one who found the gate not open may call, or waits.
    pub(crate) fn poll_admit(
        &mut self,
        id: Id,
        place: &mut Place,
        waker: Waker,
        now: Instant,
        actions: &mut Actions<T>,
    ) -> Poll<()> {
        let (mine, ticket) = match *place {
            Place::None => (None, None),
            Place::Waiting(ticket) => (None, Some(ticket)),
            Place::Admitted { permit, ticket } => (Some(permit), Some(ticket)),
        };
        let Some(record) = self.get_mut(id) else {
            actions.dropped.push(waker);
            *place = Place::None;
            return Poll::Ready(());
        };
        let permit = match &mut record.phase {
            Phase::Proving(proof) if record.proves => proof.ask(mine, now),
            Phase::Proving(proof) => {
                // It is of no use now, and nobody else's as long as it is held.
                if let Some(permit) = mine {
                    proof.give_back(permit, now);
                }
                None
            }
            _ => None,
        };
        if record.cell.gate().is_open() || permit.is_some() {
            let ticket = ticket.unwrap_or_else(|| record.waiters.ticket());
            let left = record.waiters.leave(ticket);
            actions.dropped.extend(left.into_iter().chain([waker]));
            let admitted = |permit| Place::Admitted { permit, ticket };
            *place = permit.map_or(Place::None, admitted);
            self.plan_reminder(id, actions);
            return Poll::Ready(());
        }
        let (ticket, old) = record.waiters.wait(ticket, waker);
        actions.dropped.extend(old);
        *place = Place::Waiting(ticket);
        self.plan_reminder(id, actions);
        Poll::Pending
    }

    /// One who waited, or might have called, does neither.
    pub(crate) fn leave(&mut self, id: Id, place: Place, now: Instant, actions: &mut Actions<T>) {
        match place {
            Place::None => {}
            Place::Waiting(ticket) => {
                let record = self.get_mut(id);
                let left = record.and_then(|record| record.waiters.leave(ticket));
                actions.dropped.extend(left);
            }
            Place::Admitted { permit, .. } => self.give_back(id, permit, now, actions),
        }
    }

    /// The proving call may be made, and the service below is not ready; if it is not for as long
    /// as a first ejection takes, another may be.
    pub(crate) fn waits(&mut self, id: Id, permit: u64) {
        let patience = self.patience();
        if let Some(Phase::Proving(proof)) = self.get_mut(id).map(|record| &mut record.phase) {
            proof.waits(permit, patience);
        }
    }

    /// The proving call is made; if it is not answered for as long as a first ejection takes,
    /// another may be.
    pub(crate) fn called(&mut self, id: Id, permit: u64, now: Instant) {
        let patience = self.patience();
        if let Some(Phase::Proving(proof)) = self.get_mut(id).map(|record| &mut record.phase) {
            proof.called(permit, later(now, patience));
        }
    }

    /// The proving call was given up: somebody else may make it.
    pub(crate) fn give_back(
        &mut self,
        id: Id,
        permit: u64,
        now: Instant,
        actions: &mut Actions<T>,
    ) {
        let Some(record) = self.get_mut(id) else {
            return;
        };
        let Phase::Proving(proof) = &mut record.phase else {
            return;
        };
        if proof.give_back(permit, now) {
            actions.wakers.extend(record.waiters.take_first());
            self.plan_reminder(id, actions);
        }
    }

    fn patience(&self) -> Duration {
        self.rules.outlier.ejection(1).max(PATIENCE)
    }
}

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cell::Cell;
use crate::classify::Outcome;

/// A call that is under way. Dropped without an outcome, it was given up.
#[derive(Debug)]
pub(crate) struct Call {
    own: Arc<Own>,
    /// When it was made, as far as ejections are concerned.
    epoch: u32,
    answered: bool,
    /// That of the proving call, if it is this one.
    permit: Option<u64>,
    overdue: Option<Overdue>,
}

/// After how long a call that is given up is a failure.
#[derive(Clone, Copy, Debug)]
struct Overdue {
    began: u64,
    limit: Duration,
}

/// The cell, as one service and its calls share it: those of others count theirs elsewhere, so that
/// they do not disturb each other.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Own(pub(crate) Arc<Cell>);

impl Call {
    #[inline]
    pub(crate) fn new(own: &Arc<Own>, permit: Option<u64>, overdue: Option<Duration>) -> Self {
        let cell = &own.0;
        Self {
            own: Arc::clone(own),
            epoch: cell.gate().epoch(),
            answered: false,
            permit,
            overdue: overdue.and_then(|limit| {
                let began = cell.time()?;
                Some(Overdue { began, limit })
            }),
        }
    }

    #[inline]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.answered = true;
        self.own.0.record(self.epoch, outcome);
        if let Some(permit) = self.permit.take() {
            self.give_back(permit);
        }
    }

    #[cold]
    fn give_up(&mut self) {
        let clock = &self.own.0.clock;
        // The clock is late, so that the call seems to take longer than it has, never shorter.
        let is_overdue = self
            .overdue
            .is_some_and(|overdue| clock.since(overdue.began, Instant::now()) >= overdue.limit);
        self.end(if is_overdue {
            Outcome::Failure
        } else {
            Outcome::Ignore
        });
    }

    /// Of no use once the call has proved anything.
    #[cold]
    fn give_back(&self, permit: u64) {
        let cell = &self.own.0;
        if let Some(judge) = cell.judge() {
            judge.give_back(cell.id, permit);
        }
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if !self.answered {
            self.give_up();
        }
    }
}

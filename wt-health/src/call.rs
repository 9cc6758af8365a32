use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cell::Cell;
use crate::classify::Outcome;

/// A call that is under way. Dropped without an outcome, it was given up.
#[derive(Debug)]
pub(crate) struct Call {
    cell: Arc<Cell>,
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

impl Call {
    #[inline]
    pub(crate) fn new(cell: &Arc<Cell>, permit: Option<u64>, overdue: Option<Duration>) -> Self {
        Self {
            cell: Arc::clone(cell),
            epoch: cell.gate().epoch(),
            answered: false,
            permit,
            overdue: overdue.map(|limit| Overdue {
                began: cell.clock.read(),
                limit,
            }),
        }
    }

    #[inline]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.answered = true;
        self.cell.record(self.epoch, outcome);
        if let Some(permit) = self.permit.take() {
            self.give_back(permit);
        }
    }

    #[cold]
    fn give_up(&mut self) {
        let cell = &self.cell;
        // The clock is late, so that the call seems to take longer than it has, never shorter.
        let is_overdue = self.overdue.is_some_and(|overdue| {
            cell.clock.since(overdue.began, Instant::now()) >= overdue.limit
        });
        self.end(if is_overdue {
            Outcome::Failure
        } else {
            Outcome::Ignored
        });
    }

    /// Of no use once the call has proved anything.
    #[cold]
    fn give_back(&self, permit: u64) {
        if let Some(judge) = self.cell.judge() {
            judge.give_back(self.cell.id, permit);
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

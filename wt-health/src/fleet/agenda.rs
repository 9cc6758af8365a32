use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::judge::Id;

/// What is due when.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeSet<(Instant, Id)>,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Instant, id: Id) {
        self.entries.insert((at, id));
    }

    pub(crate) fn remove(&mut self, at: Instant, id: Id) {
        self.entries.remove(&(at, id));
    }

    pub(crate) fn first(&self) -> Option<(Instant, Id)> {
        self.entries.first().copied()
    }

    /// The first that is due by now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Id> {
        let (at, id) = self.first()?;
        if at > now {
            return None;
        }
        self.entries.pop_first();
        Some(id)
    }
}

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::entry::Entry;
use crate::fleet::Change;

/// What has happened and is to be told, up to a number.
pub(crate) struct Outbox<K> {
    waiting: VecDeque<Numbered<K>>,
    changes: u64,
    missed: u64,
}

/// A change, and its place among all changes.
pub(crate) type Numbered<K> = (u64, Change<Arc<Entry<K>>>);

impl<K> Outbox<K> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            changes: 0,
            missed: 0,
        }
    }

    /// Gives the oldest, which is not told, if there are too many.
    #[must_use]
    pub(crate) fn add(&mut self, change: Change<Arc<Entry<K>>>) -> Option<Numbered<K>> {
        self.changes += 1;
        self.waiting.push_back((self.changes, change));
        if self.waiting.len() <= MOST {
            return None;
        }
        self.missed += 1;
        self.waiting.pop_front()
    }

    /// What there is to be told, and how many more there were.
    pub(crate) fn take(&mut self) -> (VecDeque<Numbered<K>>, u64) {
        (mem::take(&mut self.waiting), mem::take(&mut self.missed))
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }
}

/// How many events wait for those who hear them.
pub(crate) const MOST: usize = 256;

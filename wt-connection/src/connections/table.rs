use std::collections::{BTreeMap, HashSet};

use crate::ConnectionId;
use crate::error::{AddError, Close};

/// Who is in a registry, for whom a place is kept, and how many there have been.
///
/// `C` is a connection.
#[derive(Debug)]
pub(crate) struct Table<C> {
    entries: BTreeMap<ConnectionId, C>,
    /// Taken out before they were over: their end is still to be told.
    removed: HashSet<ConnectionId>,
    /// Places kept for connections that are not there yet.
    reserved: usize,
    max: usize,
    /// What the registry was shut down with.
    shut: Option<Close>,
    high_water: usize,
    added: u64,
    ended: u64,
    refused: u64,
}

/// What is to be done for a connection that has taken its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Nobody tells its end yet.
    pub(crate) watch: bool,
    /// The registry was shut down meanwhile.
    pub(crate) close: Option<Close>,
}

/// The numbers of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) open: usize,
    pub(crate) reserved: usize,
    pub(crate) max: usize,
    pub(crate) high_water: usize,
    pub(crate) added: u64,
    pub(crate) ended: u64,
    pub(crate) refused: u64,
}

impl<C: Clone> Table<C> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            removed: HashSet::new(),
            reserved: 0,
            max,
            shut: None,
            high_water: 0,
            added: 0,
            ended: 0,
            refused: 0,
        }
    }

    /// Sets the limit from here on; those beyond it stay.
    pub(crate) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Keeps a place for one more connection.
    pub(crate) fn reserve(&mut self) -> Result<(), AddError> {
        let refusal = if self.shut.is_some() {
            AddError::Closed
        } else if self.entries.len() + self.reserved >= self.max {
            AddError::Full
        } else {
            self.reserved += 1;
            return Ok(());
        };
        self.refused += 1;
        Err(refusal)
    }

    /// Keeps a place for this connection, and says whether it needs one: it may be there already.
    pub(crate) fn reserve_for(&mut self, id: ConnectionId) -> Result<bool, AddError> {
        if self.shut.is_none() && self.entries.contains_key(&id) {
            return Ok(false);
        }
        self.reserve().map(|()| true)
    }

    /// Frees a place that was kept.
    pub(crate) fn release(&mut self) {
        self.reserved -= 1;
    }

    /// Gives a connection the place that was kept for it.
    pub(crate) fn fill(&mut self, id: ConnectionId, connection: C) -> Filled {
        self.release();
        let new = self.entries.insert(id, connection).is_none();
        if new {
            self.added += 1;
            self.high_water = self.high_water.max(self.entries.len());
        }
        Filled {
            watch: new && !self.removed.remove(&id),
            close: self.shut.clone(),
        }
    }

    /// Takes a connection out before it is over.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<C> {
        let connection = self.entries.remove(&id)?;
        self.removed.insert(id);
        Some(connection)
    }

    /// Forgets a connection that is over.
    pub(crate) fn end(&mut self, id: ConnectionId) {
        self.removed.remove(&id);
        if self.entries.remove(&id).is_some() {
            self.ended += 1;
        }
    }

    /// Lets nobody in any more; the first to ask says with what those who still come are closed.
    pub(crate) fn shut(&mut self, close: Close) {
        self.shut.get_or_insert(close);
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<C> {
        self.entries.get(&id).cloned()
    }

    /// The connections, the oldest first.
    pub(crate) fn all(&self) -> Vec<C> {
        self.entries.values().cloned().collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            open: self.entries.len(),
            reserved: self.reserved,
            max: self.max,
            high_water: self.high_water,
            added: self.added,
            ended: self.ended,
            refused: self.refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_kept_counts_against_the_limit_until_it_is_free() {
        let mut table = table(1);
        table.reserve().unwrap();

        assert_eq!(table.reserve(), Err(AddError::Full));
        table.release();

        assert_eq!(table.reserve(), Ok(()));
        assert_eq!(table.counts().refused, 1);
    }

    #[test]
    fn a_place_that_is_filled_is_kept_no_more() {
        let mut table = table(2);

        add(&mut table, ConnectionId::next());

        assert_eq!((table.counts().open, table.counts().reserved), (1, 0));
    }

    #[test]
    fn what_is_there_already_needs_no_place_even_in_a_full_table() {
        let mut table = table(1);
        let id = ConnectionId::next();
        add(&mut table, id);

        assert_eq!(table.reserve_for(id), Ok(false));
        assert_eq!(table.reserve_for(ConnectionId::next()), Err(AddError::Full));
        assert_eq!(table.counts().refused, 1);
    }

    #[test]
    fn two_places_filled_by_one_connection_are_one_entry() {
        let mut table = table(2);
        let id = ConnectionId::next();
        table.reserve().unwrap();
        table.reserve().unwrap();

        assert!(table.fill(id, "one").watch);
        assert!(!table.fill(id, "one").watch);

        let counts = table.counts();
        assert_eq!((counts.open, counts.reserved, counts.added), (1, 0, 1));
    }

    #[test]
    fn the_end_is_counted_once_and_frees_the_place() {
        let mut table = table(1);
        let id = ConnectionId::next();
        add(&mut table, id);

        table.end(id);
        table.end(id);

        let counts = table.counts();
        assert_eq!((counts.open, counts.added, counts.ended), (0, 1, 1));
        assert_eq!(table.reserve(), Ok(()));
    }

    #[test]
    fn the_most_there_were_is_not_forgotten() {
        let mut table = table(2);
        let ids = [ConnectionId::next(), ConnectionId::next()];
        for id in ids {
            add(&mut table, id);
        }

        for id in ids {
            table.end(id);
        }
        add(&mut table, ConnectionId::next());

        assert_eq!(table.counts().high_water, 2);
    }

    #[test]
    fn the_end_of_what_was_removed_is_not_counted() {
        let mut table = table(1);
        let id = ConnectionId::next();
        add(&mut table, id);

        assert_eq!(table.remove(id), Some("connection"));
        assert_eq!(table.remove(id), None);
        table.end(id);

        assert_eq!(table.counts().ended, 0);
        assert!(table.removed.is_empty());
    }

    #[test]
    fn what_comes_back_is_watched_already() {
        let mut table = table(1);
        let id = ConnectionId::next();
        assert!(add(&mut table, id).watch);

        table.remove(id);
        assert!(!add(&mut table, id).watch);
        table.end(id);

        let counts = table.counts();
        assert_eq!((counts.open, counts.added, counts.ended), (0, 2, 1));
    }

    #[test]
    fn a_shut_table_refuses_those_that_are_there_too() {
        let mut table = table(2);
        let id = ConnectionId::next();
        add(&mut table, id);

        table.shut(Close::new(1, ""));

        assert_eq!(table.reserve_for(id), Err(AddError::Closed));
        assert_eq!(table.reserve(), Err(AddError::Closed));
        assert_eq!(table.counts().refused, 2);
    }

    #[test]
    fn who_fills_a_place_of_a_shut_table_is_closed_as_the_first_said() {
        let mut table = table(1);
        table.reserve().unwrap();

        table.shut(Close::new(1, "first"));
        table.shut(Close::new(2, "second"));
        let filled = table.fill(ConnectionId::next(), "connection");

        assert_eq!(filled.close, Some(Close::new(1, "first")));
        assert!(filled.watch);
    }

    #[test]
    fn a_lower_limit_sends_nobody_away() {
        let mut table = table(2);
        add(&mut table, ConnectionId::next());
        add(&mut table, ConnectionId::next());

        table.set_max(1);

        assert_eq!(table.counts().open, 2);
        assert_eq!(table.reserve(), Err(AddError::Full));
    }

    fn table(max: usize) -> Table<&'static str> {
        Table::new(max)
    }

    fn add(table: &mut Table<&'static str>, id: ConnectionId) -> Filled {
        assert_eq!(table.reserve_for(id), Ok(true));
        table.fill(id, "connection")
    }
}

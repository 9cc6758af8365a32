use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;

/// A fixed list of delays; its end ends the call.
#[derive(Clone, Debug)]
pub struct List(Arc<[Duration]>);

impl List {
    /// Waits as `delays` says: its first before the first retry, and so on.
    #[must_use]
    pub fn new(delays: impl IntoIterator<Item = Duration>) -> Self {
        Self(delays.into_iter().collect())
    }
}

impl Backoff for List {
    type Delays = ListDelays;

    fn delays(&self) -> ListDelays {
        ListDelays {
            list: Arc::clone(&self.0),
            next: 0,
        }
    }
}

/// The delays of one call of a [`List`].
#[derive(Clone, Debug)]
pub struct ListDelays {
    list: Arc<[Duration]>,
    next: usize,
}

impl Iterator for ListDelays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.list.get(self.next).copied()?;
        self.next += 1;
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_begins_anew_for_each_call_and_ends() {
        let list = [1, 5, 2].map(Duration::from_secs);
        let backoff = List::new(list);

        for _ in 0..2 {
            let delays: Vec<_> = backoff.delays().collect();

            assert_eq!(delays, list);
        }
    }
}

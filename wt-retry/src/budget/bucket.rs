//! A purse that many threads share: nothing is put in twice, nothing is spent twice.

use std::time::Duration;

// The parent's: std's in the crate, loom's in its test.
use super::atomic::{AtomicU64, Ordering};
use super::purse::{Floor, Purse};

/// Each word stands for itself alone, so no order between them is needed.
#[derive(Debug)]
pub(crate) struct Bucket {
    purse: AtomicU64,
    limit: Purse,
    floor: AtomicU64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(limit: Purse) -> Self {
        Self {
            purse: AtomicU64::new(limit.0),
            limit,
            floor: AtomicU64::new(0),
        }
    }

    pub(crate) fn left(&self) -> Purse {
        Purse(self.purse.load(Ordering::Relaxed))
    }

    /// Whether a new one would give no more, `now` after this one was made.
    pub(crate) fn is_as_new(&self, now: Duration) -> bool {
        let floor = Floor(self.floor.load(Ordering::Relaxed));
        self.left() == self.limit && floor.is_as_new(now)
    }

    /// Puts `amount` in; a full bucket, the usual one, is only looked at.
    pub(crate) fn put(&self, amount: u64) {
        update(&self.purse, |word| {
            let mut purse = Purse(word);
            purse.put(amount, self.limit);
            (purse.0 != word).then_some(purse.0)
        });
    }

    /// Takes `amount` out if all of it is there.
    pub(crate) fn take(&self, amount: u64) -> bool {
        update(&self.purse, |word| {
            let mut purse = Purse(word);
            purse.take(amount).then_some(purse.0)
        })
    }

    /// Takes out what is there of `amount`.
    pub(crate) fn lose(&self, amount: u64) {
        update(&self.purse, |word| {
            let mut purse = Purse(word);
            purse.lose(amount);
            Some(purse.0)
        });
    }

    /// Takes one of the retries that each second has, `now` after the bucket was made.
    pub(crate) fn take_floor(&self, per_second: u32, now: Duration) -> bool {
        update(&self.floor, |word| {
            let mut floor = Floor(word);
            floor.take(per_second, now).then_some(floor.0)
        })
    }
}

/// Changes a word in one step; says whether it was changed.
fn update(word: &AtomicU64, change: impl Fn(u64) -> Option<u64>) -> bool {
    let mut seen = word.load(Ordering::Relaxed);
    while let Some(next) = change(seen) {
        match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) => seen = other,
        }
    }
    false
}

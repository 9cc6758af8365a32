use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// An amount that is used up without a lock.
///
/// Whoever looks at two of these, or at one and at what a lock guards, relies on one order of all
/// that is done to them.
#[derive(Debug, Default)]
pub(super) struct Spare(AtomicU64);

impl Spare {
    /// Takes `amount` if there is as much.
    pub(super) fn take(&self, amount: u64) -> bool {
        let left = |spare: u64| spare.checked_sub(amount);
        self.0.fetch_update(SeqCst, SeqCst, left).is_ok()
    }

    /// Takes all there is.
    pub(super) fn drain(&self) -> u64 {
        self.0.swap(0, SeqCst)
    }

    pub(super) fn put(&self, amount: u64) {
        if amount > 0 {
            self.0.fetch_add(amount, SeqCst);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(SeqCst) == 0
    }
}

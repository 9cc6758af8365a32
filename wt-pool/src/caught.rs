use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs somebody's code in a task that is to go on whatever that does; `None` if it panics.
///
/// Nothing of the pool's is left half changed: no such code runs under a lock.
pub(crate) fn caught<R>(code: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

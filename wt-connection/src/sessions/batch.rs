use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

use bytes::Bytes;

/// Datagrams that are there at once, and what comes of them: to lock, and to wake somebody, for one
/// at a time costs more.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each with the id of its session.
    pub(super) arrived: Vec<(u64, Bytes)>,
    /// Who has waited for one, to be woken once nothing is locked.
    pub(super) awaited: Vec<Waker>,
    /// Streams that some are for, and that are no sessions.
    pub(crate) astray: Vec<u64>,
}

impl Batch {
    pub(crate) fn push(&mut self, id: u64, datagram: Bytes) {
        self.arrived.push((id, datagram));
    }

    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Wakes who has waited, if anybody has. Each was called, and would be by nobody else: a waker
    /// that panics harms none of the others, and goes on once all are woken.
    ///
    /// # Panics
    ///
    /// Panics as the waker that was the last to do so.
    pub(crate) fn wake(&mut self) {
        let mut panicked = Ok(());
        for reader in self.awaited.drain(..) {
            panicked = catch_unwind(AssertUnwindSafe(|| reader.wake())).and(panicked);
        }
        if let Err(panic) = panicked {
            resume_unwind(panic);
        }
    }

    /// Says whether somebody has waited for one.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use tokio_test::task;

    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new("a waker's"));
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_none_from_being_woken() {
        let mut tasks: Vec<_> = (0..2)
            .map(|_| task::spawn(std::future::pending::<()>()))
            .collect();
        let mut batch = Batch::default();
        for task in &mut tasks {
            task.enter(|cx, _| batch.awaited.push(cx.waker().clone()));
            batch.awaited.push(Waker::from(Arc::new(Panics)));
        }

        let panicked = catch_unwind(AssertUnwindSafe(|| batch.wake()));

        assert!(panicked.is_err());
        assert!(tasks.iter().all(task::Spawn::is_woken));
    }
}

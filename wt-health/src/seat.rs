use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::call::{Call, Own};
use crate::cell::Cell;
use crate::handle::Handle;
use crate::judge::Place;

/// What one service has of its backend's gate: given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    handle: Arc<Handle>,
    /// The backend's at first, and of its own once it is called again: who makes one call only
    /// needs none.
    own: Arc<Own>,
    called: Called,
    /// Something else than nothing only at a gate that is not open.
    place: Place,
}

impl Seat {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        Self {
            own: Arc::clone(&handle.own),
            handle,
            called: Called::Never,
            place: Place::None,
        }
    }

    #[inline]
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_open() {
            return self.poll_admit(cx);
        }
        if self.place != Place::None {
            self.leave();
        }
        Poll::Ready(())
    }

    /// It was ready, and the service below is not.
    #[inline]
    pub(crate) fn waits(&self) {
        if self.place != Place::None {
            self.wait();
        }
    }

    #[inline]
    pub(crate) fn call(&mut self, overdue: Option<Duration>) -> Call {
        let permit = if self.place == Place::None {
            None
        } else {
            self.spend()
        };
        if self.called != Called::Again {
            self.settle();
        }
        Call::new(&self.own, permit, overdue)
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.handle.cell().gate().is_open()
    }

    pub(crate) fn cell(&self) -> &Cell {
        self.handle.cell()
    }

    #[cold]
    fn settle(&mut self) {
        self.called = match self.called {
            Called::Never => Called::Once,
            Called::Once | Called::Again => {
                let cell = Arc::clone(self.handle.cell());
                self.own = Arc::new(Own(cell));
                Called::Again
            }
        };
    }

    #[cold]
    fn poll_admit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let handle = &self.handle;
        handle
            .judge
            .poll_admit(handle.cell().id, &mut self.place, cx)
    }

    #[cold]
    fn wait(&self) {
        if let Place::Admitted { permit, .. } = self.place {
            self.handle.judge.waits(self.handle.cell().id, permit);
        }
    }

    #[cold]
    fn leave(&mut self) {
        let place = mem::take(&mut self.place);
        self.handle.judge.leave(self.handle.cell().id, place);
    }

    /// The permit for the proving call, if this one is that.
    #[cold]
    fn spend(&mut self) -> Option<u64> {
        let Place::Admitted { permit, .. } = self.place else {
            self.leave();
            return None;
        };
        self.place = Place::None;
        self.handle.judge.called(self.handle.cell().id, permit);
        Some(permit)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Called {
    Never,
    Once,
    Again,
}

/// A clone waits for itself, and may make no proving call that another one may.
impl Clone for Seat {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.handle))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.place != Place::None {
            self.leave();
        }
    }
}

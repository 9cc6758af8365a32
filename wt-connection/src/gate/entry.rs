use super::atomic::{AtomicBool, Ordering};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::lock::Lock;

/// Lets a future be polled the first time, and then only once it has asked for it.
///
/// A task that waits for many things polls all of them whenever one of them happens. Most happen
/// seldom, and a look at each costs a lock or more.
#[derive(Debug)]
pub(crate) struct Gate {
    call: Arc<Call>,
    /// Of `call`.
    caller: Waker,
    /// Whom that wakes.
    task: Option<Waker>,
}

#[derive(Debug)]
struct Call {
    called: AtomicBool,
    task: Lock<Option<Waker>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let call = Arc::new(Call {
            called: AtomicBool::new(true),
            task: Lock::default(),
        });
        Self {
            caller: Arc::clone(&call).into(),
            call,
            task: None,
        }
    }

    /// Lets what passes next be polled.
    pub(crate) fn open(&self) {
        self.call.called.store(true, Ordering::Release);
    }

    /// Runs `future`, which may be another each time, if what this one waits for calls the waker of
    /// the one before.
    ///
    /// Cancel safe if `future` is.
    pub(crate) fn pass<'a, F: Future>(
        &'a mut self,
        mut future: Pin<&'a mut F>,
    ) -> impl Future<Output = F::Output> + 'a {
        poll_fn(move |cx| self.poll(cx, |cx| future.as_mut().poll(cx)))
    }

    fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Before the look, so that none is missed.
        self.note(cx.waker());
        let called = &self.call.called;
        if !called.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // Swapped, to see what came before the last call, too.
        called.swap(false, Ordering::AcqRel);
        let polled = poll(&mut Context::from_waker(&self.caller));
        if polled.is_ready() {
            // Whatever comes next has asked for nothing yet.
            self.open();
        }
        polled
    }

    fn note(&mut self, task: &Waker) {
        if self
            .task
            .as_ref()
            .is_some_and(|noted| noted.will_wake(task))
        {
            return;
        }
        let old = self.call.task.lock().replace(task.clone());
        drop(old);
        self.task = Some(task.clone());
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.called.store(true, Ordering::Release);
        let task = self.task.lock().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

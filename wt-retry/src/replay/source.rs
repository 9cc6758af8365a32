use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http_body::{Body, Frame, SizeHint};

use crate::replay::tape::Tape;

/// A body, and what was read of it: what the handles of one request share.
pub(crate) struct Source<B>(Mutex<State<B>>);

/// No body is polled under the lock.
pub(crate) struct State<B> {
    pub(crate) tape: Tape,
    pub(crate) rest: Rest<B>,
    /// What the rest said of itself when it was put here.
    pub(crate) hint: SizeHint,
    /// The newest handle that was polled; those before it are over.
    reader: u64,
    /// Handles that wait: for the body, or for another handle to put it back.
    pending: Option<Waker>,
    queued: Option<Waker>,
    /// How many handles there have been after the first.
    handles: u64,
}

/// What has not been read yet.
pub(crate) enum Rest<B> {
    Here(Pin<Box<B>>),
    /// A handle polls it at this moment.
    Lent,
    Ended,
    Failed,
}

impl<B: Body> Source<B> {
    pub(crate) fn new(body: B, limit: usize) -> Arc<Self> {
        let (rest, hint) = Rest::of(Box::pin(body));
        Arc::new(Self(Mutex::new(State {
            tape: Tape::new(limit),
            rest,
            hint,
            reader: 0,
            pending: None,
            queued: None,
            handles: 0,
        })))
    }
}

impl<B> Source<B> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the handles before this one; `false` if it is over itself.
    pub(crate) fn take_over(&self, handle: u64) -> bool {
        let mut state = self.lock();
        if handle <= state.reader {
            return handle == state.reader;
        }
        state.reader = handle;
        let waiting = [state.pending.take(), state.queued.take()];
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
        true
    }

    fn put_back(&self, rest: Rest<B>, hint: SizeHint, record: impl FnOnce(&mut Tape)) {
        let mut state = self.lock();
        record(&mut state.tape);
        state.rest = rest;
        state.hint = hint;
        let queued = state.queued.take();
        drop(state);
        if let Some(waker) = queued {
            waker.wake();
        }
    }
}

impl<B> State<B> {
    /// Waits for the body; `false` if a newer handle reads it now.
    pub(crate) fn wait(&mut self, handle: u64, waker: &Waker) -> bool {
        let reads = handle == self.reader;
        if reads {
            self.pending = Some(waker.clone());
        }
        reads
    }

    /// Waits for whoever polls the body to put it back.
    pub(crate) fn queue(&mut self, waker: &Waker) {
        self.queued = Some(waker.clone());
    }

    /// Takes the rest, if it is here to be polled.
    pub(crate) fn take(&mut self) -> Rest<B> {
        match self.rest {
            Rest::Here(_) | Rest::Lent => mem::replace(&mut self.rest, Rest::Lent),
            Rest::Ended => Rest::Ended,
            Rest::Failed => Rest::Failed,
        }
    }

    pub(crate) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// Whether a handle that begins anew sends all of it.
    pub(crate) fn is_whole(&self) -> bool {
        !self.tape.is_torn() && !matches!(self.rest, Rest::Failed)
    }
}

impl<B: Body> Rest<B> {
    fn of(body: Pin<Box<B>>) -> (Self, SizeHint) {
        let hint = body.size_hint();
        if body.is_end_stream() {
            (Self::Ended, SizeHint::with_exact(0))
        } else {
            (Self::Here(body), hint)
        }
    }
}

type Read<B> = Result<Frame<<B as Body>::Data>, <B as Body>::Error>;

/// A body out of its lock, to be polled; it goes back when this is dropped.
pub(crate) struct Lent<B: Body> {
    source: Arc<Source<B>>,
    body: Option<Pin<Box<B>>>,
    ended: bool,
    back: bool,
}

impl<B: Body> Lent<B> {
    pub(crate) fn new(source: Arc<Source<B>>, body: Pin<Box<B>>) -> Self {
        Self {
            source,
            body: Some(body),
            ended: false,
            back: false,
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Read<B>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.as_mut().poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.body = None,
            Poll::Ready(Some(Ok(frame))) if !frame.is_trailers() => {}
            // Nothing follows trailers.
            Poll::Ready(_) => {
                self.body = None;
                self.ended = true;
            }
            Poll::Pending => {}
        }
        polled
    }

    /// Puts the body back and notes what was read of it, so that nobody sees one without the other.
    pub(crate) fn put_back(&mut self, record: impl FnOnce(&mut Tape)) {
        // Asks the body, so before the lock is taken.
        let (rest, hint) = match self.body.take() {
            Some(body) => Rest::of(body),
            None if self.ended => (Rest::Ended, SizeHint::with_exact(0)),
            None => (Rest::Failed, SizeHint::with_exact(0)),
        };
        self.back = true;
        self.source.put_back(rest, hint, record);
    }
}

impl<B: Body> Drop for Lent<B> {
    fn drop(&mut self) {
        if !self.back {
            self.put_back(|_| ());
        }
    }
}

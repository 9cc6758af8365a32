use std::task::{Context, Poll, Waker};

use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::lock::Lock;

/// One direction of a stream, shared by its handle and its session, which may end it.
#[derive(Debug)]
pub(crate) struct Half<S>(Lock<Shared<S>>);

#[derive(Debug)]
struct Shared<S> {
    /// `None` once the handle is gone.
    stream: Option<S>,
    ended: Option<SessionError>,
    waker: Option<Waker>,
}

/// A direction that ends when its session does.
pub(crate) trait Abort {
    fn abort(&mut self, left_behind: &LeftBehind);

    /// Says whether it goes on though the peer has closed the session.
    fn outlives(&mut self, _left_behind: &LeftBehind) -> bool {
        false
    }
}

impl<S: Abort> Half<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Lock::new(Shared {
            stream: Some(stream),
            ended: None,
            waker: None,
        }))
    }

    /// Polls the stream; the session's end wakes whoever waits.
    pub(crate) fn poll<T, E: From<SessionError>>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<Result<T, E>>,
    ) -> Poll<Result<T, E>> {
        let mut shared = self.0.lock();
        if let Some(ended) = &shared.ended {
            return Poll::Ready(Err(ended.clone().into()));
        }
        let polled = poll(shared.stream.as_mut().expect(HANDLE), cx);
        if polled.is_pending()
            && !shared
                .waker
                .as_ref()
                .is_some_and(|w| w.will_wake(cx.waker()))
        {
            let replaced = shared.waker.replace(cx.waker().clone());
            drop(shared);
            // Its drop may be that of the task it was to wake.
            drop(replaced);
        }
        polled
    }

    /// Uses the stream, unless the session is over.
    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut S) -> T) -> Result<T, SessionError> {
        let mut shared = self.0.lock();
        match &shared.ended {
            Some(ended) => Err(ended.clone()),
            None => Ok(with(shared.stream.as_mut().expect(HANDLE))),
        }
    }

    /// Takes the stream for good, as its handle is dropped.
    pub(crate) fn take(&self) -> Option<S> {
        self.0.lock().stream.take()
    }

    /// Ends the stream with its session, unless it outlives that.
    pub(crate) fn end(&self, error: &SessionError, left_behind: &LeftBehind) {
        let mut shared = self.0.lock();
        if !shared
            .stream
            .as_mut()
            .is_some_and(|stream| outlives(stream, error, left_behind))
        {
            shared.ended = Some(error.clone());
            if let Some(stream) = &mut shared.stream {
                stream.abort(left_behind);
            }
        }
        let waker = shared.waker.take();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Says whether `stream` goes on though its session ends with `error`.
pub(crate) fn outlives(
    stream: &mut impl Abort,
    error: &SessionError,
    left_behind: &LeftBehind,
) -> bool {
    matches!(error, SessionError::ClosedByPeer(_)) && stream.outlives(left_behind)
}

/// `take` is called by the handle's `Drop` alone, after which nobody polls.
const HANDLE: &str = "the handle is alive";

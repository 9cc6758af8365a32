use std::task::{Context, Poll, Waker};

use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::lock::Lock;

/// One direction of a stream, if it has that, shared by its handle and its session, which may end
/// it.
#[derive(Debug)]
pub(crate) struct Half<S>(Lock<State<S>>);

#[derive(Debug)]
struct State<S> {
    /// `None` once the handle is gone.
    stream: Option<S>,
    /// Boxed, since streams are made more often than sessions end.
    ended: Option<Box<SessionError>>,
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
    pub(crate) fn new(stream: Option<S>) -> Self {
        Self(Lock::new(State {
            stream,
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
        let mut state = self.0.lock();
        if let Some(ended) = &state.ended {
            return Poll::Ready(Err(SessionError::clone(ended).into()));
        }
        let polled = poll(state.stream.as_mut().expect(HANDLE), cx);
        if polled.is_pending()
            && !state
                .waker
                .as_ref()
                .is_some_and(|w| w.will_wake(cx.waker()))
        {
            let replaced = state.waker.replace(cx.waker().clone());
            drop(state);
            // Its drop may be that of the task it was to wake.
            drop(replaced);
        }
        polled
    }

    /// Uses the stream, unless the session is over.
    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut S) -> T) -> Result<T, SessionError> {
        let mut state = self.0.lock();
        match &state.ended {
            Some(ended) => Err(SessionError::clone(ended)),
            None => Ok(with(state.stream.as_mut().expect(HANDLE))),
        }
    }

    /// Takes the stream for good, as its handle is dropped.
    pub(crate) fn take(&self) -> Option<S> {
        let mut state = self.0.lock();
        let (stream, waker) = (state.stream.take(), state.waker.take());
        drop(state);
        // Its drop may be that of the task it was to wake, of which nothing is to be kept.
        drop(waker);
        stream
    }

    /// Ends the stream with its session, unless it outlives that.
    pub(crate) fn end(&self, error: &SessionError, left_behind: &LeftBehind) {
        let mut state = self.0.lock();
        if !state
            .stream
            .as_mut()
            .is_some_and(|stream| outlives(stream, error, left_behind))
        {
            state.ended = Some(Box::new(error.clone()));
            if let Some(stream) = &mut state.stream {
                stream.abort(left_behind);
            }
        }
        let waker = state.waker.take();
        drop(state);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Quiet;

    impl Wake for Quiet {
        fn wake(self: Arc<Self>) {}
    }

    impl Abort for () {
        fn abort(&mut self, _: &LeftBehind) {}
    }

    #[test]
    fn a_handle_that_is_gone_leaves_no_waker_behind() {
        let half = Half::new(Some(()));
        let task = Arc::new(Quiet);
        let waker = Waker::from(Arc::clone(&task));
        let polled: Poll<Result<(), SessionError>> =
            half.poll(&mut Context::from_waker(&waker), |(), _| Poll::Pending);
        assert!(polled.is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 2);

        half.take();

        assert_eq!(Arc::strong_count(&task), 1);
    }
}

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use quinn::{ClosedStream, StoppedError, VarInt};

use crate::connection::LeftBehind;
use crate::stream::half::Abort;
use crate::wire;

/// quinn's stream, and whether somebody has waited for its end, of which quinn keeps something.
pub(crate) struct Sending {
    pub(crate) stream: quinn::SendStream,
    /// Where it waits for its session's credit.
    pub(crate) place: Option<u64>,
    watched: bool,
    /// While there is no credit, quinn is not asked to write, and tells of a stop by this alone.
    blocked: Option<Stopped>,
}

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

impl Sending {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            place: None,
            watched: false,
            blocked: None,
        }
    }

    /// Looks, while there is no credit, whether the stream may still be written to.
    pub(crate) fn poll_blocked(&mut self, cx: &mut Context<'_>) -> Poll<quinn::WriteError> {
        if self.blocked.is_none() {
            self.blocked = Some(Box::pin(self.stopped()));
        }
        let Some(blocked) = &mut self.blocked else {
            return Poll::Pending;
        };
        let stopped = ready!(blocked.as_mut().poll(cx));
        self.blocked = None;
        Poll::Ready(match stopped {
            Ok(Some(code)) => quinn::WriteError::Stopped(code),
            Ok(None) => quinn::WriteError::ClosedStream,
            Err(error) => error.into(),
        })
    }

    /// Notes that there is credit again.
    pub(crate) fn unblocked(&mut self) {
        self.blocked = None;
    }

    /// Gives the stream up; what quinn keeps of it then is counted.
    pub(crate) fn reset(
        &mut self,
        code: VarInt,
        left_behind: &LeftBehind,
    ) -> Result<(), ClosedStream> {
        match self.watched {
            true => left_behind.reset(&mut self.stream, code),
            false => self.stream.reset(code),
        }
    }

    /// Waits until the peer has stopped the stream, or has all of it.
    pub(crate) fn stopped(
        &mut self,
    ) -> impl Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync + use<> {
        self.watched = true;
        self.stream.stopped()
    }
}

impl Abort for Sending {
    fn abort(&mut self, left_behind: &LeftBehind) {
        // One that has been acknowledged needs no reset.
        let _ = self.reset(wire::session_gone(), left_behind);
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

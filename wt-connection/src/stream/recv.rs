use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::{ConnectionError, ReadError, ReadToEndError, SessionError};
use crate::proto::code;
use crate::session::Ask;
use crate::stream::received::{Lost, Received};
use crate::stream::shared::Shared;
use crate::wire;

/// The receiving direction of a stream.
///
/// It holds its session open. Dropped before its end, it is stopped with code 0. A stream of which
/// all has arrived, to the peer's knowledge, is read to its end, even if the peer has closed the
/// session meanwhile.
#[must_use = "dropping a stream stops it"]
pub struct RecvStream {
    shared: Arc<Shared>,
}

impl RecvStream {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Reads into `buf`, and says how much; `None` at the stream's end.
    ///
    /// # Errors
    ///
    /// Fails once the peer has reset the stream, this side has stopped it, or the session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped has read nothing.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, ReadError> {
        if buf.is_empty() {
            return Ok(Some(0));
        }
        let chunk = self.read_chunk(buf.len()).await?;
        Ok(chunk.map(|chunk| {
            buf[..chunk.len()].copy_from_slice(&chunk);
            chunk.len()
        }))
    }

    /// Takes what has arrived next, at most `max` bytes, without copying it; `None` at the
    /// stream's end. With a `max` of 0, an empty chunk says that something has arrived.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped has read nothing.
    pub async fn read_chunk(&mut self, max: usize) -> Result<Option<Bytes>, ReadError> {
        poll_fn(|cx| self.poll_chunk(cx, max)).await
    }

    /// Reads all that is left, at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), or [`ReadToEndError::TooLong`]; what was read is lost.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read is lost.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, ReadToEndError> {
        let mut all = Vec::new();
        poll_fn(|cx| self.poll_with(cx, |received, cx| received.poll_to_end(cx, limit, &mut all)))
            .await?;
        Ok(all)
    }

    /// Reads no further, and tells the peer so with a code of the application's.
    ///
    /// # Errors
    ///
    /// Fails if the stream was read to its end or stopped before, or the session is over.
    pub fn stop(&mut self, code: u32) -> Result<(), ReadError> {
        let (stopped, settled) = self.shared.recv.with(|received| {
            let stopped = received.stop(wire::app_code(code));
            (stopped, received.settle())
        })?;
        self.account(settled);
        stopped
    }

    /// Tells the session what was read of its bytes, and what will never be.
    fn account(&self, (had, lost): (usize, Option<Lost>)) {
        let session = self.shared.session();
        let Some(flow) = session.flow() else { return };
        if had > 0
            && let Err(exceeded) = flow.read(had as u64)
        {
            session.ask(Ask::Broken(exceeded.into()));
        }
        if let Some(Lost { held, ended }) = lost {
            flow.forgive(held as u64, ended);
        }
    }

    /// The QUIC stream's id, the same on both sides.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.id()
    }

    fn poll_chunk(
        &self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, ReadError>> {
        self.poll_with(cx, |received, cx| received.poll_chunk(cx, max))
    }

    fn poll_with<T, E: From<SessionError>>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut Received, &mut Context<'_>) -> Poll<Result<T, E>>,
    ) -> Poll<Result<T, E>> {
        let mut gone = false;
        let mut fresh = false;
        let mut settled = (0, None);
        let polled = self.shared.recv.poll(cx, |received, cx| {
            let polled = read(received, cx);
            gone = received.is_gone();
            fresh = received.take_fresh();
            settled = received.settle();
            polled
        });
        self.account(settled);
        if gone {
            self.shared.session().ask(Ask::Gone);
        } else if polled.is_ready() || fresh {
            self.shared.session().touch();
        }
        polled
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        if let Some(mut received) = self.shared.recv.take() {
            let _ = received.stop(wire::app_code(0));
            self.account(received.settle());
        }
        if let Some(last) = self.shared.leave() {
            self.shared.session().forget(last);
        }
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let chunk = ready!(self.get_mut().poll_chunk(cx, buf.remaining()))?;
        if let Some(chunk) = chunk {
            buf.put_slice(chunk.chunk());
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for RecvStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvStream")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl From<quinn::ReadError> for ReadError {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::Reset(code) => Self::Reset(code::from_wire(code.into_inner())),
            quinn::ReadError::ConnectionLost(error) => {
                Self::Session(ConnectionError::from(error).into())
            }
            quinn::ReadError::ZeroRttRejected => {
                Self::Session(ConnectionError::EarlyDataRejected.into())
            }
            quinn::ReadError::ClosedStream | quinn::ReadError::IllegalOrderedRead => Self::Stopped,
        }
    }
}

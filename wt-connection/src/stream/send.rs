use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::error::{ConnectionError, WriteError};
use crate::proto::code;
use crate::session::Ask;
use crate::stream::lingering::is_stopped;
use crate::stream::sending::Sending;
use crate::stream::shared::Shared;
use crate::wire;

/// The sending direction of a stream.
///
/// It holds its session open. Dropped, it is finished: what was written is still delivered, unless
/// the session or the connection is closed explicitly before the peer has it. Who leaves halfway,
/// by an error for one, should [`reset`](Self::reset) it first: to the peer, a stream that was
/// dropped looks complete.
#[must_use = "dropping a stream finishes it"]
pub struct SendStream {
    shared: Arc<Shared>,
    sent: Sent,
}

/// How far the application is with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Some,
    /// All of it, and the end.
    All,
    Reset,
}

impl SendStream {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            sent: Sent::Some,
        }
    }

    /// Writes some of `buf`, and says how much.
    ///
    /// # Errors
    ///
    /// Fails once the peer has stopped the stream, this side has finished or reset it, or the
    /// session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped has written nothing.
    pub async fn write(&mut self, buf: &[u8]) -> Result<usize, WriteError> {
        poll_fn(|cx| self.poll_write_buf(cx, buf)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); some of `buf` may have been written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: some of `buf` may have been written.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> Result<(), WriteError> {
        while !buf.is_empty() {
            let written = self.write(buf).await?;
            buf = &buf[written..];
        }
        Ok(())
    }

    /// Writes all of `chunk` without copying it.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); some of `chunk` may have been written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: some of `chunk` may have been written.
    pub async fn write_chunk(&mut self, chunk: Bytes) -> Result<(), WriteError> {
        self.write_chunks(&mut [chunk]).await
    }

    /// Writes all of `chunks`, in order, without copying them; each is left empty.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); `chunks` then holds what was not written.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: `chunks` holds what has not been written.
    pub async fn write_chunks(&mut self, chunks: &mut [Bytes]) -> Result<(), WriteError> {
        let mut done = 0;
        while chunks[done..].iter().any(|chunk| !chunk.is_empty()) {
            done += poll_fn(|cx| self.poll_write_chunks(cx, &mut chunks[done..])).await?;
        }
        Ok(())
    }

    /// Ends the stream: the peer reads to here. What was written is delivered in the background.
    ///
    /// # Errors
    ///
    /// Fails if the stream was finished or reset before, or the session is over.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        self.shared
            .send
            .with(|sending| sending.stream.finish())?
            .map_err(|_| WriteError::Finished)?;
        self.sent = Sent::All;
        Ok(())
    }

    /// Gives the stream up with a code of the application's; what is not yet delivered is dropped.
    ///
    /// # Errors
    ///
    /// Fails if all was delivered or the stream reset before, or the session is over.
    pub fn reset(&mut self, code: u32) -> Result<(), WriteError> {
        let left_behind = self.shared.session().left_behind();
        self.shared
            .send
            .with(|sending| sending.reset(wire::app_code(code), left_behind))?
            .map_err(|_| WriteError::Finished)?;
        self.sent = Sent::Reset;
        Ok(())
    }

    /// Waits until the peer stops the stream, and says with which code, or until the peer has
    /// acknowledged all of a finished stream, which is `Ok(None)`.
    ///
    /// Of a stream that this side resets after it has waited here, QUIC keeps some 100 bytes until
    /// the connection is over, unless the peer has stopped it: with 4,096 of them the connection
    /// drains, so that another takes its place.
    ///
    /// # Errors
    ///
    /// [`WriteError::Stopped`] with `None` where the peer's code is none of an application's;
    /// [`WriteError::Finished`] if this side has reset the stream; [`WriteError::Session`] once the
    /// session is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call tells the same.
    pub async fn stopped(&mut self) -> Result<Option<u32>, WriteError> {
        let stopped = self.shared.send.with(Sending::stopped)?;
        if self.sent == Sent::Reset {
            // quinn does not tell of the acknowledgement.
            return Err(WriteError::Finished);
        }
        let stopped = tokio::select! {
            stopped = stopped => stopped,
            ended = self.shared.session().ended() => return Err(ended.into()),
        };
        match stopped.map_err(quinn::WriteError::from)? {
            None => Ok(None),
            Some(code) if code == wire::session_gone() => {
                // The peer's word of why is still to come.
                self.shared.session().ask(Ask::Gone);
                Err(self.shared.session().ended().await.into())
            }
            Some(code) => match code::from_wire(code.into_inner()) {
                Some(code) => Ok(Some(code)),
                None => Err(WriteError::Stopped(None)),
            },
        }
    }

    /// Sets the priority against the connection's other streams; higher goes first, 0 by default.
    ///
    /// # Errors
    ///
    /// Fails if the stream is done, or the session is over.
    pub fn set_priority(&mut self, priority: i32) -> Result<(), WriteError> {
        self.shared
            .send
            .with(|sending| sending.stream.set_priority(priority))?
            .map_err(|_| WriteError::Finished)
    }

    /// The priority.
    ///
    /// # Errors
    ///
    /// Fails if the stream is done, or the session is over.
    pub fn priority(&self) -> Result<i32, WriteError> {
        self.shared
            .send
            .with(|sending| sending.stream.priority())?
            .map_err(|_| WriteError::Finished)
    }

    /// The QUIC stream's id, the same on both sides.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.shared.id()
    }

    fn poll_write_buf(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize, WriteError>> {
        self.poll_with(
            cx,
            buf.len(),
            |stream, cx, most| Pin::new(stream).poll_write(cx, &buf[..most]),
            |written| *written,
        )
    }

    /// Writes from `chunks`, and says how many of them are empty then.
    fn poll_write_chunks(
        &self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes],
    ) -> Poll<Result<usize, WriteError>> {
        let want = chunks.iter().map(Bytes::len).sum();
        let written = self.poll_with(
            cx,
            want,
            |stream, cx, most| {
                if most == want {
                    return pin!(stream.write_chunks(chunks)).poll(cx);
                }
                // The session has no room for more: a part of the first that is not empty.
                let index = chunks
                    .iter()
                    .position(|chunk| !chunk.is_empty())
                    .unwrap_or(0);
                let mut part = [chunks[index].slice(..most.min(chunks[index].len()))];
                let written = ready!(pin!(stream.write_chunks(&mut part)).poll(cx))?;
                chunks[index].advance(written.bytes);
                Poll::Ready(Ok(quinn::Written {
                    bytes: written.bytes,
                    chunks: index + usize::from(chunks[index].is_empty()),
                }))
            },
            |written| written.bytes,
        );
        written.map_ok(|written| written.chunks)
    }

    /// Polls a write of up to `want` bytes, or as many as the session has room for, once it has
    /// any; `bytes` says how many were written. One that fails as its session is gone waits for the
    /// session to say why.
    fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        want: usize,
        write: impl FnOnce(
            &mut quinn::SendStream,
            &mut Context<'_>,
            usize,
        ) -> Poll<Result<T, quinn::WriteError>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<Result<T, WriteError>> {
        let mut gone = false;
        let mut unused = 0;
        let mut old = None;
        let flow = self.shared.session().flow();
        let polled = self.shared.send.poll(cx, |sending, cx| {
            let reserved = match flow {
                Some(flow) if self.sent == Sent::Some => {
                    flow.poll_reserve(cx, &mut sending.place, want, &mut old)
                }
                _ => Poll::Ready(want),
            };
            let polled = match reserved {
                Poll::Ready(most) => {
                    sending.unblocked();
                    unused = most;
                    write(&mut sending.stream, cx, most)
                }
                Poll::Pending => sending.poll_blocked(cx).map(Err),
            };
            match polled {
                Poll::Ready(Ok(written)) => {
                    unused -= bytes(&written);
                    Poll::Ready(Ok(written))
                }
                Poll::Ready(Err(quinn::WriteError::Stopped(code)))
                    if code == wire::session_gone() =>
                {
                    gone = true;
                    Poll::Pending
                }
                polled => polled.map_err(WriteError::from),
            }
        });
        drop(old);
        if let Some(flow) = flow
            && self.sent == Sent::Some
        {
            flow.give_back(unused);
        }
        if gone {
            self.shared.session().ask(Ask::Gone);
        } else if polled.is_ready() {
            self.shared.session().touch();
        }
        polled
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        let session = self.shared.session();
        let mut left = self.shared.send.take();
        if let Some(sending) = &mut left {
            if self.sent == Sent::Some {
                let _ = sending.stream.finish();
            }
            if let (Some(flow), Some(place)) = (session.flow(), sending.place.take()) {
                flow.forget(place);
            }
        }
        // Once it is stopped, it takes up the peer's room until it is dropped, which resets it.
        let by_peer = self.shared.is_by_peer();
        let is_over = |sending: &mut Sending| {
            self.sent == Sent::Reset || by_peer && is_stopped(&mut sending.stream)
        };
        let lingers = left.and_then(|mut sending| (!is_over(&mut sending)).then_some(sending));
        session.let_go(self.shared.leave(), lingers);
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_write_buf(cx, buf)
            .map_err(io::Error::from)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().finish().map_err(io::Error::from))
    }
}

impl fmt::Debug for SendStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendStream")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl From<quinn::WriteError> for WriteError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::Stopped(code) => Self::Stopped(code::from_wire(code.into_inner())),
            quinn::WriteError::ConnectionLost(error) => {
                Self::Session(ConnectionError::from(error).into())
            }
            quinn::WriteError::ZeroRttRejected => {
                Self::Session(ConnectionError::EarlyDataRejected.into())
            }
            quinn::WriteError::ClosedStream => Self::Finished,
        }
    }
}

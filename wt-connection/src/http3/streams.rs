use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::quic::{
    BidiStream, ConnectionErrorIncoming, RecvStream, SendStream, StreamErrorIncoming, StreamId,
    WriteBuf,
};

use crate::connection::Core;
use crate::proto::code;
use crate::proto::content_frames::{ContentFrames, Piece};
use crate::proto::control::Side;
use crate::proto::fault::Fault;
use crate::wire;

/// The sending direction of a request's stream, or of a stream that leads nowhere.
///
/// Dropped before its end, it is reset: what is incomplete must not look whole.
pub(crate) struct Send<B> {
    /// `None` once it is reset, and where it leads nowhere.
    stream: Option<quinn::SendStream>,
    writing: Option<WriteBuf<B>>,
    finished: bool,
    core: Arc<Core>,
}

/// The receiving direction of a request's stream; what was read to classify it comes first.
///
/// Dropped before its end, it is stopped.
pub(crate) struct Recv {
    stream: quinn::RecvStream,
    frames: ContentFrames,
    ahead: Ahead,
    ended: bool,
    side: Side,
}

/// How much content h3 was given that the application has not yet had.
///
/// h3 asks for more whenever it is asked for what it has, so that it would hold ever more of what a
/// peer sends in small frames, and QUIC's windows would hold nobody back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead(Arc<AtomicUsize>);

impl Ahead {
    fn add(&self, content: usize) {
        self.0.fetch_add(content, Ordering::Relaxed);
    }

    /// Notes that the application has had so much.
    pub(super) fn sub(&self, content: usize) {
        self.0.fetch_sub(content, Ordering::Relaxed);
    }

    fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Both directions of a request's stream.
pub(crate) struct Bi<B> {
    send: Send<B>,
    recv: Recv,
}

impl<B> Send<B> {
    fn new(stream: quinn::SendStream, core: Arc<Core>) -> Self {
        Self {
            stream: Some(stream),
            writing: None,
            finished: false,
            core,
        }
    }

    /// A stream that swallows what is written.
    pub(crate) fn sink(core: Arc<Core>) -> Self {
        Self {
            stream: None,
            writing: None,
            finished: false,
            core,
        }
    }
}

impl<B> Drop for Send<B> {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        match self.core.side {
            Side::Server if self.finished => self.core.answers.push(stream),
            Side::Server => reset(&self.core, &mut stream, code::H3_INTERNAL_ERROR),
            Side::Client => {
                // A request that was given up before its headers were sent has left it there.
                self.core.opened.take(stream.id().into());
                if !self.finished {
                    reset(&self.core, &mut stream, code::H3_REQUEST_CANCELLED);
                }
            }
        }
    }
}

/// Gives up what is sent on a stream of which somebody waits whether the peer wants it.
fn reset(core: &Core, stream: &mut quinn::SendStream, code: u64) {
    // It may be closed already, which is what is wanted.
    let _ = core.left_behind.reset(stream, wire::varint(code));
}

impl Recv {
    fn new(stream: quinn::RecvStream, rest: Bytes, core: &Core) -> Self {
        let mut frames = ContentFrames::new(core.limits.header_block);
        frames.push(rest);
        Self {
            stream,
            frames,
            ahead: Ahead::default(),
            ended: false,
            side: core.side,
        }
    }

    /// Gives the stream up over a fault of the peer's.
    fn fail(&mut self, fault: Fault) -> StreamErrorIncoming {
        let code = match fault {
            Fault::Stream(code) => code,
            Fault::Connection(fault) => fault.code,
            Fault::TooLarge => code::H3_EXCESSIVE_LOAD,
        };
        self.stop(code);
        StreamErrorIncoming::Unknown(Box::new(fault))
    }

    fn stop(&mut self, code: u64) {
        self.ended = true;
        let _ = self.stream.stop(wire::varint(code));
    }
}

impl Drop for Recv {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(match self.side {
                // RFC 9114 §4.1.1: what is left of a request that is answered is not wanted.
                Side::Server => code::H3_NO_ERROR,
                Side::Client => code::H3_REQUEST_CANCELLED,
            });
        }
    }
}

impl<B> Bi<B> {
    /// A request's stream, of which `rest` has been read.
    pub(crate) fn new(
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
        core: &Arc<Core>,
    ) -> Self {
        Self {
            recv: Recv::new(recv, rest, core),
            send: Send::new(send, Arc::clone(core)),
        }
    }
}

impl<B> Bi<B> {
    /// How far h3 is ahead of the application.
    pub(super) fn ahead(&self) -> Ahead {
        self.recv.ahead.clone()
    }
}

impl<B: Buf> SendStream<B> for Send<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        let (Some(stream), Some(writing)) = (&mut self.stream, &mut self.writing) else {
            self.writing = None;
            return Poll::Ready(Ok(()));
        };
        while writing.has_remaining() {
            let written = Pin::new(&mut *stream).poll_write(cx, writing.chunk());
            writing.advance(ready!(written).map_err(write_error)?);
        }
        self.writing = None;
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.writing.is_some() {
            // The caller broke the trait's contract: `poll_ready` comes first.
            return Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: ConnectionErrorIncoming::InternalError(
                    "data before the stream was ready".into(),
                ),
            });
        }
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        ready!(self.poll_ready(cx))?;
        if let Some(stream) = &mut self.stream {
            // One that is finished or reset already needs nothing more.
            let _ = stream.finish();
        }
        self.finished = true;
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, reset_code: u64) {
        if let Some(mut stream) = self.stream.take() {
            reset(&self.core, &mut stream, reset_code);
        }
    }

    fn send_id(&self) -> StreamId {
        match &self.stream {
            Some(stream) => stream_id(stream.id()),
            None => StreamId::try_from(SINK).expect("2 is a stream id"),
        }
    }
}

impl RecvStream for Recv {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        if self.ahead.is_any() {
            // h3 has what it needs to get on, so that nobody waits.
            return Poll::Pending;
        }
        loop {
            match self.frames.next() {
                Ok(Some(Piece { bytes, content })) => {
                    self.ahead.add(content);
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Err(self.fail(fault))),
            }
            let chunk = ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx));
            match chunk {
                Ok(Some(chunk)) => self.frames.push(chunk.bytes),
                Ok(None) => {
                    self.ended = true;
                    let whole = self.frames.finish();
                    return Poll::Ready(whole.map(|()| None).map_err(|fault| self.fail(fault)));
                }
                Err(error) => return Poll::Ready(Err(read_error(error))),
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.stop(error_code);
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

impl<B: Buf> SendStream<B> for Bi<B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<B>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, reset_code: u64) {
        self.send.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

impl<B> RecvStream for Bi<B> {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.recv.poll_data(cx)
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.recv.stop_sending(error_code);
    }

    fn recv_id(&self) -> StreamId {
        self.recv.recv_id()
    }
}

impl<B: Buf> BidiStream<B> for Bi<B> {
    type SendStream = Send<B>;
    type RecvStream = Recv;

    fn split(self) -> (Self::SendStream, Self::RecvStream) {
        (self.send, self.recv)
    }
}

/// The end of the connection, as h3 takes it.
pub(crate) fn lost(error: quinn::ConnectionError) -> ConnectionErrorIncoming {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            ConnectionErrorIncoming::ApplicationClose {
                error_code: close.error_code.into_inner(),
            }
        }
        quinn::ConnectionError::LocallyClosed => ConnectionErrorIncoming::ApplicationClose {
            error_code: code::H3_NO_ERROR,
        },
        quinn::ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn read_error(error: quinn::ReadError) -> StreamErrorIncoming {
    match error {
        quinn::ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        quinn::ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn write_error(error: quinn::WriteError) -> StreamErrorIncoming {
    match error {
        quinn::WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        quinn::WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: lost(error),
        },
        error => StreamErrorIncoming::Unknown(Box::new(error)),
    }
}

fn stream_id(id: quinn::StreamId) -> StreamId {
    StreamId::try_from(u64::from(id)).expect("a stream id of QUIC's is one of HTTP/3's")
}

/// What a stream that leads nowhere calls itself: a client's first unidirectional one.
const SINK: u64 = 2;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::quic::{
    BidiStream, ConnectionErrorIncoming, RecvStream, SendStream, StreamErrorIncoming, StreamId,
    WriteBuf,
};

use crate::connection::Core;
use crate::http3::exchange::Exchange;
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
    /// `None` where it leads nowhere.
    exchange: Option<Arc<Exchange>>,
}

/// The receiving direction of a request's stream; what was read to classify it comes first.
///
/// Dropped before its end, it is stopped.
pub(crate) struct Recv {
    stream: quinn::RecvStream,
    frames: ContentFrames,
    ended: bool,
    exchange: Arc<Exchange>,
}

/// Both directions of a request's stream.
pub(crate) struct Bi<B> {
    send: Send<B>,
    recv: Recv,
}

impl<B> Send<B> {
    fn new(stream: quinn::SendStream, exchange: Arc<Exchange>) -> Self {
        Self {
            stream: Some(stream),
            writing: None,
            finished: false,
            exchange: Some(exchange),
        }
    }

    /// A stream that swallows what is written.
    pub(crate) fn sink() -> Self {
        Self {
            stream: None,
            writing: None,
            finished: false,
            exchange: None,
        }
    }

    /// Gives the stream up, of which somebody waits whether the peer wants it.
    fn abort(&mut self, code: u64) {
        if let (Some(mut stream), Some(exchange)) = (self.stream.take(), &self.exchange) {
            let code = wire::varint(exchange.aborted().unwrap_or(code));
            // It may be closed already, which is what is wanted.
            let _ = exchange.core().left_behind.reset(&mut stream, code);
        }
    }
}

impl<B> Drop for Send<B> {
    fn drop(&mut self) {
        let Some(exchange) = &self.exchange else {
            return;
        };
        match exchange.core().side {
            Side::Server if self.finished => {
                if let Some(stream) = self.stream.take() {
                    exchange.core().answers.push(stream);
                }
            }
            Side::Client if self.finished => {}
            Side::Server => self.abort(code::H3_INTERNAL_ERROR),
            Side::Client => self.abort(code::H3_REQUEST_CANCELLED),
        }
    }
}

impl Recv {
    fn new(stream: quinn::RecvStream, rest: Bytes, exchange: Arc<Exchange>) -> Self {
        let core = exchange.core();
        let mut frames = match core.side {
            Side::Server => ContentFrames::of_request(core.limits.header_block),
            Side::Client => ContentFrames::of_response(core.limits.header_block),
        };
        frames.push(rest);
        Self {
            stream,
            frames,
            ended: false,
            exchange,
        }
    }

    /// Gives the stream up over a fault of the peer's, and the connection if it is one of that; a
    /// client, whose sessions are not to blame for the server's responses, leaves it at the stream.
    fn fail(&mut self, fault: Fault) -> StreamErrorIncoming {
        let core = self.exchange.core();
        if let (Side::Server, Fault::Connection(fault)) = (core.side, fault) {
            core.fail(fault);
        }
        self.stop(fault.code());
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
            let unwanted = match self.exchange.core().side {
                // RFC 9114 §4.1.1: what is left of a request that is answered is not wanted.
                Side::Server => code::H3_NO_ERROR,
                Side::Client => code::H3_REQUEST_CANCELLED,
            };
            self.stop(self.exchange.aborted().unwrap_or(unwanted));
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
        let exchange = Exchange::begin(&send, core);
        Self {
            recv: Recv::new(recv, rest, Arc::clone(&exchange)),
            send: Send::new(send, exchange),
        }
    }
}

impl<B> Bi<B> {
    pub(super) fn exchange(&self) -> Arc<Exchange> {
        Arc::clone(&self.recv.exchange)
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
        self.abort(reset_code);
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
        if self.exchange.is_ahead() {
            // h3 has what it needs to get on, so that nobody waits.
            return Poll::Pending;
        }
        loop {
            match self.frames.next() {
                Ok(Some(Piece { bytes, content })) => {
                    self.exchange.give(content);
                    return Poll::Ready(Ok(Some(bytes)));
                }
                Ok(None) => {}
                Err(fault) => return Poll::Ready(Err(self.fail(fault))),
            }
            if let Poll::Ready(code) = self.exchange.poll_aborted(cx) {
                return Poll::Ready(Err(self.fail(Fault::Stream(code))));
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

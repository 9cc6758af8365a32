use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::quic::{
    BidiStream, ConnectionErrorIncoming, RecvStream, SendStream, StreamErrorIncoming, StreamId,
    WriteBuf,
};

use crate::proto::code;
use crate::wire;

/// The sending direction of a request's stream, or of a stream that leads nowhere.
pub(crate) struct Send<B> {
    stream: Option<quinn::SendStream>,
    writing: Option<WriteBuf<B>>,
}

/// The receiving direction of a request's stream; what was read to classify it comes first.
pub(crate) struct Recv {
    stream: quinn::RecvStream,
    rest: Bytes,
}

/// Both directions of a request's stream.
pub(crate) struct Bi<B> {
    send: Send<B>,
    recv: Recv,
}

impl<B> Send<B> {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream: Some(stream),
            writing: None,
        }
    }

    /// A stream that swallows what is written.
    pub(crate) fn sink() -> Self {
        Self {
            stream: None,
            writing: None,
        }
    }
}

impl Recv {
    pub(crate) fn new(stream: quinn::RecvStream, rest: Bytes) -> Self {
        Self { stream, rest }
    }
}

impl<B> Bi<B> {
    pub(crate) fn new(send: Send<B>, recv: Recv) -> Self {
        Self { send, recv }
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
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self, reset_code: u64) {
        if let Some(stream) = &mut self.stream {
            let _ = stream.reset(wire::varint(reset_code));
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
        if !self.rest.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.rest))));
        }
        let chunk = ready!(pin!(self.stream.read_chunk(usize::MAX, true)).poll(cx));
        Poll::Ready(match chunk {
            Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
            Err(quinn::ReadError::Reset(code)) => Err(StreamErrorIncoming::StreamTerminated {
                error_code: code.into_inner(),
            }),
            Err(quinn::ReadError::ConnectionLost(error)) => {
                Err(StreamErrorIncoming::ConnectionErrorIncoming {
                    connection_error: lost(error),
                })
            }
            Err(error) => Err(StreamErrorIncoming::Unknown(Box::new(error))),
        })
    }

    fn stop_sending(&mut self, error_code: u64) {
        let _ = self.stream.stop(wire::varint(error_code));
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

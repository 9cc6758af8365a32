use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};
use tokio::sync::mpsc;

use crate::http3::streams::{Bi, Recv, Send};

/// A request of the peer's, with what has been read of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
}

/// The connection as h3 sees it.
///
/// The unidirectional streams that h3 opens (control, QPACK) lead nowhere, none of the peer's
/// reaches it, and its wish to close the connection is ignored.
pub(crate) struct Transport {
    requests: mpsc::Receiver<Request>,
    opener: Opener,
}

/// Opens streams for h3.
pub(crate) struct Opener {
    quinn: quinn::Connection,
    opening: Option<OpeningBi>,
}

type OpeningBi = std::pin::Pin<
    Box<
        dyn Future<Output = Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>
            + std::marker::Send
            + Sync,
    >,
>;

impl Transport {
    pub(crate) fn new(quinn: quinn::Connection, requests: mpsc::Receiver<Request>) -> Self {
        Self {
            requests,
            opener: Opener {
                quinn,
                opening: None,
            },
        }
    }
}

impl<B: Buf> quic::Connection<B> for Transport {
    type RecvStream = Recv;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        // What the driver learns of the connection's end reaches h3 by the other direction.
        Poll::Pending
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        self.requests.poll_recv(cx).map(|request| match request {
            Some(Request { send, recv, rest }) => {
                Ok(Bi::new(Send::new(send), Recv::new(recv, rest)))
            }
            None => Err(ConnectionErrorIncoming::ApplicationClose {
                error_code: Code::H3_NO_ERROR.value(),
            }),
        })
    }

    fn opener(&self) -> Self::OpenStreams {
        Opener {
            quinn: self.opener.quinn.clone(),
            opening: None,
        }
    }
}

impl<B: Buf> quic::OpenStreams<B> for Transport {
    type BidiStream = Bi<B>;
    type SendStream = Send<B>;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        self.opener.poll_open_bidi(cx)
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        self.opener.poll_open_send(cx)
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        quic::OpenStreams::<B>::close(&mut self.opener, code, reason);
    }
}

impl<B: Buf> quic::OpenStreams<B> for Opener {
    type BidiStream = Bi<B>;
    type SendStream = Send<B>;

    fn poll_open_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, StreamErrorIncoming>> {
        let quinn = self.quinn.clone();
        let opening = self
            .opening
            .get_or_insert_with(|| Box::pin(async move { quinn.open_bi().await }));
        let opened = std::task::ready!(opening.as_mut().poll(cx));
        self.opening = None;
        Poll::Ready(match opened {
            Ok((send, recv)) => Ok(Bi::new(Send::new(send), Recv::new(recv, Bytes::new()))),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: crate::http3::streams::lost(error),
            }),
        })
    }

    fn poll_open_send(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::SendStream, StreamErrorIncoming>> {
        Poll::Ready(Ok(Send::sink()))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        let reason = String::from_utf8_lossy(reason);
        tracing::debug!(%code, %reason, "HTTP/3 requests are over; the connection goes on");
    }
}

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming};

use crate::connection::Core;
use crate::http3::streams::{self, Bi, Recv, Send};
use crate::lock::Lock;

/// The connection as h3 sees it.
///
/// The unidirectional streams that h3 opens (control, QPACK) lead nowhere, none of the peer's
/// reaches it, and its wish to close the connection is ignored.
pub(crate) struct Transport {
    arrived: Arc<Arrived>,
    opener: Opener,
}

/// Where the next request is put for h3 to accept.
#[derive(Default)]
pub(crate) struct Arrived(Lock<Option<Bi<Bytes>>>);

/// Opens streams for h3.
pub(crate) struct Opener {
    core: Arc<Core>,
    opening: Option<OpeningBi>,
}

type OpeningBi = Pin<
    Box<
        dyn Future<Output = Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>>
            + std::marker::Send
            + Sync,
    >,
>;

impl Arrived {
    pub(crate) fn put(&self, request: Bi<Bytes>) {
        *self.0.lock() = Some(request);
    }
}

impl Transport {
    pub(crate) fn new(core: Arc<Core>, arrived: Arc<Arrived>) -> Self {
        Self {
            arrived,
            opener: Opener::new(core),
        }
    }
}

impl Opener {
    fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            opening: None,
        }
    }
}

impl Clone for Opener {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.core))
    }
}

impl quic::Connection<Bytes> for Transport {
    type RecvStream = Recv;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::RecvStream, ConnectionErrorIncoming>> {
        // What the driver learns of the connection's end reaches h3 by each stream.
        Poll::Pending
    }

    fn poll_accept_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::BidiStream, ConnectionErrorIncoming>> {
        let arrived = self.arrived.0.lock().take();
        // Whoever puts a request there asks h3 for it in the same breath.
        arrived.map_or(Poll::Pending, |request| Poll::Ready(Ok(request)))
    }

    fn opener(&self) -> Self::OpenStreams {
        self.opener.clone()
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
        let quinn = &self.core.quinn;
        let opening = self.opening.get_or_insert_with(|| {
            let quinn = quinn.clone();
            Box::pin(async move { quinn.open_bi().await })
        });
        let opened = ready!(opening.as_mut().poll(cx));
        self.opening = None;
        Poll::Ready(match opened {
            Ok((send, recv)) => Ok(Bi::new(send, recv, Bytes::new(), &self.core)),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: streams::lost(error),
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
        tracing::debug!(%code, %reason, "h3 gives up; the connection goes on");
    }
}

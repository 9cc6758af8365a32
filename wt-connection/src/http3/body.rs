use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use h3::error::{Code, StreamError};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::task::AbortHandle;

use crate::activity::InUse;
use crate::connection::Handle;
use crate::error::BodyError;
use crate::http3::exchange::Exchange;
use crate::http3::failure::Failure;
use crate::http3::streams::Recv;

/// The content of a request that a server received, or of a response that a client did: a stream
/// of bytes, with trailers at its end.
///
/// It is read as an [`http_body::Body`], for instance with `http_body_util::BodyExt`; what is not
/// read holds the peer back. What arrives is compared with `content-length`.
///
/// Dropped before its end, it tells the peer to send no more of it; on a client the request that is
/// still being sent is given up, too.
pub struct Body {
    content: Option<Box<Content>>,
    /// What was read ahead to see whether there is anything.
    peeked: Option<Result<Frame<Bytes>, BodyError>>,
}

/// A message's content, until its end has been read.
struct Content {
    source: Source,
    /// How much more the peer has promised.
    left: Option<u64>,
    exchange: Arc<Exchange>,
    /// All data has been read, and trailers may come.
    at_trailers: bool,
    /// The request that is still being sent.
    upload: Option<AbortHandle>,
    /// On a client, the request is under way until the response is read.
    _in_use: Option<InUse>,
    handle: Arc<Handle>,
}

enum Source {
    Request(h3::server::RequestStream<Recv, Bytes>),
    Response(h3::client::RequestStream<Recv, Bytes>),
}

impl Body {
    /// No content at all.
    pub(crate) fn empty() -> Self {
        Self {
            content: None,
            peeked: None,
        }
    }

    pub(super) fn of_request(
        stream: h3::server::RequestStream<Recv, Bytes>,
        length: Option<u64>,
        exchange: Arc<Exchange>,
        handle: Arc<Handle>,
    ) -> Self {
        Self::new(
            Source::Request(stream),
            length,
            exchange,
            handle,
            None,
            None,
        )
    }

    pub(super) fn of_response(
        stream: h3::client::RequestStream<Recv, Bytes>,
        length: Option<u64>,
        exchange: Arc<Exchange>,
        handle: Arc<Handle>,
        upload: Option<AbortHandle>,
        in_use: InUse,
    ) -> Self {
        let source = Source::Response(stream);
        Self::new(source, length, exchange, handle, upload, Some(in_use))
    }

    fn new(
        source: Source,
        length: Option<u64>,
        exchange: Arc<Exchange>,
        handle: Arc<Handle>,
        upload: Option<AbortHandle>,
        in_use: Option<InUse>,
    ) -> Self {
        let content = Content {
            source,
            left: length,
            exchange,
            at_trailers: false,
            upload,
            _in_use: in_use,
            handle,
        };
        let mut body = Self {
            content: Some(Box::new(content)),
            peeked: None,
        };
        // Where there is no content, its end has mostly arrived already.
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(next) = body.poll_next(&mut context) {
            body.peeked = next;
        }
        body
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(content) = &mut self.content else {
            return Poll::Ready(None);
        };
        let next = ready!(content.poll_next(cx));
        // One that was given up is counted there.
        if let Some(Err(BodyError::Malformed)) = next
            && content.exchange.aborted().is_none()
        {
            content.handle.core.count_error();
        }
        if !matches!(&next, Some(Ok(frame)) if frame.is_data()) {
            if !matches!(next, Some(Err(_))) {
                // The rest of the request may still be wanted, though its response is complete.
                content.upload = None;
            }
            self.content = None;
        }
        Poll::Ready(next)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.peeked.take() {
            Some(peeked) => Poll::Ready(Some(peeked)),
            None => self.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none() && self.peeked.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let peeked = match &self.peeked {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) | None => 0,
        };
        match &self.content {
            None => SizeHint::with_exact(peeked),
            Some(content) => content.left.map_or_else(SizeHint::default, |left| {
                SizeHint::with_exact(left.saturating_add(peeked))
            }),
        }
    }
}

impl Content {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.at_trailers {
            let data = ready!(self.source.poll_data(cx));
            match data.map_err(|error| self.fail(&error)) {
                Ok(Some(data)) => return Poll::Ready(Some(self.admit(data))),
                Ok(None) if self.left.is_some_and(|left| left > 0) => {
                    return Poll::Ready(Some(Err(BodyError::Malformed)));
                }
                Ok(None) => self.at_trailers = true,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let trailers = ready!(self.source.poll_trailers(cx));
        Poll::Ready(match trailers {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(self.fail(&error))),
        })
    }

    /// Takes data in, unless there is more than the peer has promised.
    fn admit(&mut self, data: Bytes) -> Result<Frame<Bytes>, BodyError> {
        self.handle.core.activity.record();
        self.exchange.had(data.len());
        if let Some(left) = &mut self.left {
            let Some(rest) = left.checked_sub(data.len() as u64) else {
                self.source.stop(Code::H3_MESSAGE_ERROR);
                return Err(BodyError::Malformed);
            };
            *left = rest;
        }
        Ok(Frame::data(data))
    }

    fn fail(&self, error: &StreamError) -> BodyError {
        Failure::new(error, &self.handle.core).into()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}

impl Source {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        match self {
            Self::Request(stream) => ready!(stream.poll_recv_data(cx)).map(whole).into(),
            Self::Response(stream) => ready!(stream.poll_recv_data(cx)).map(whole).into(),
        }
    }

    fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<HeaderMap>, StreamError>> {
        match self {
            Self::Request(stream) => stream.poll_recv_trailers(cx),
            Self::Response(stream) => stream.poll_recv_trailers(cx),
        }
    }

    fn stop(&mut self, code: Code) {
        match self {
            Self::Request(stream) => stream.stop_sending(code),
            Self::Response(stream) => stream.stop_sending(code),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("is_end_stream", &http_body::Body::is_end_stream(self))
            .finish_non_exhaustive()
    }
}

/// Of what h3 gives, which is one piece of bytes: no copy.
fn whole(data: Option<impl Buf>) -> Option<Bytes> {
    data.map(|mut data| data.copy_to_bytes(data.remaining()))
}

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tracing::Span;

use crate::activity::InUse;
use crate::connection::{Handle, Queued};
use crate::content_stream::ContentStream;
use crate::error::SessionError;
use crate::given_up::given_up;
use crate::proto::subprotocol::{self, NotOffered, Offer};
use crate::proto::{code, draft};
use crate::session::SessionHandle;
use crate::{Session, head, reply, trace, wire};

/// A session that a client asks for, to be accepted or rejected.
///
/// Dropped unanswered, it is rejected with status 500.
#[must_use = "dropping a request rejects it with status 500"]
pub struct SessionRequest {
    request: http::Request<()>,
    handle: Arc<Handle>,
    /// The session's.
    span: Span,
    streams: Option<Streams>,
    answering: bool,
    /// What it is aborted with, if it is dropped then.
    abort: u64,
    /// The subprotocols that the client offers.
    offered: Offer,
    protocol: Option<String>,
    /// Its connection is in use until it is answered.
    _in_use: InUse,
}

struct Streams {
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    rest: Bytes,
}

impl SessionRequest {
    pub(crate) fn new(queued: Queued, handle: Arc<Handle>) -> Self {
        let Queued {
            request,
            send,
            recv,
            rest,
            in_use,
        } = queued;
        let types = handle.core.peer.generation().names();
        let offered = subprotocol::offer(request.headers(), types);
        let span = trace::session(&handle.core, request.uri());
        span.record("id", u64::from(send.id()));
        Self {
            request,
            handle,
            span,
            streams: Some(Streams { send, recv, rest }),
            answering: false,
            abort: code::H3_INTERNAL_ERROR,
            offered,
            protocol: None,
            _in_use: in_use,
        }
    }

    /// Chooses the subprotocol of the session that [`accept`](Self::accept) will open: the first of
    /// `supported` that the client offers; none if it offers none of them.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     connection: wt_connection::Connection,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = connection.accept().await?;
    /// let request = request.select_protocol(["chat.v2", "chat.v1"]);
    /// if request.selected_protocol().is_none() {
    ///     request.reject(http::StatusCode::BAD_REQUEST).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn select_protocol<N>(mut self, supported: impl IntoIterator<Item = N>) -> Self
    where
        N: AsRef<str>,
    {
        self.protocol = subprotocol::choose(supported, &self.offered.names);
        self
    }

    /// What [`select_protocol`](Self::select_protocol) chose.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The subprotocols that the client offers, the preferred one first; none if its header is
    /// malformed.
    #[must_use]
    pub fn protocols(&self) -> &[String] {
        &self.offered.names
    }

    /// The request as it came: its URI, its headers.
    #[must_use]
    pub fn request(&self) -> &http::Request<()> {
        &self.request
    }

    /// The URI, with scheme and authority.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The origin of the page that asks; browsers always send one, and a server should check it:
    /// [`Origins`](crate::Origins) does.
    #[must_use]
    pub fn origin(&self) -> Option<&HeaderValue> {
        self.request.headers().get(header::ORIGIN)
    }

    /// The connection that the request came on.
    #[must_use]
    pub fn connection(&self) -> crate::Connection {
        crate::Connection::new(Arc::clone(&self.handle))
    }

    /// Accepts with status 200.
    ///
    /// # Errors
    ///
    /// Fails if the client has given up, or the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a request whose answer was not begun is rejected with status 500, one whose
    /// answer is not all sent is aborted.
    pub async fn accept(self) -> Result<Session, SessionError> {
        self.accept_with(HeaderMap::new()).await
    }

    /// Accepts with status 200 and with these headers.
    ///
    /// A `WT-Protocol` among them chooses the subprotocol, unless
    /// [`select_protocol`](Self::select_protocol) has.
    ///
    /// # Errors
    ///
    /// Fails if the client has given up, or the connection is over; with
    /// [`SessionError::InvalidResponse`] if a header must not be sent over HTTP/3 (`connection` and
    /// its like), or chooses a subprotocol that the client does not offer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a request whose answer was not begun is rejected with status 500, one whose
    /// answer is not all sent is aborted.
    pub async fn accept_with(self, headers: HeaderMap) -> Result<Session, SessionError> {
        let mut response = http::Response::new(());
        *response.headers_mut() = headers;
        self.accept_response(response).await
    }

    /// Accepts with the response of a service, whose status is one of 2xx.
    pub(crate) async fn accept_response(
        mut self,
        mut response: http::Response<()>,
    ) -> Result<Session, SessionError> {
        let chosen = self.protocol.as_deref();
        let types = self.handle.core.peer.generation().names();
        let protocol = subprotocol::answer(response.headers_mut(), chosen, &self.offered, types)
            .map_err(|NotOffered| SessionError::InvalidResponse)?;
        if self.headers().contains_key(draft::VERSION_02) {
            let version = HeaderValue::from_static("draft02");
            response
                .headers_mut()
                .entry(draft::VERSION_ANSWER_02)
                .or_insert(version);
        }
        let Streams { send, recv, rest } = self.send(response).await?;
        let span = self.span.clone();
        let session = self.handle.core.start_session(send, recv, rest, span);
        let handle = SessionHandle::new(session, Arc::clone(&self.handle));
        handle.agree(protocol);
        Ok(Session::new(handle))
    }

    /// Rejects with a status, and returns once the answer is on its way.
    ///
    /// # Errors
    ///
    /// Fails if the client has given up, or the connection is over.
    ///
    /// # Panics
    ///
    /// Panics if the status is informational (1xx) or a success (2xx).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a request whose answer was not begun is rejected with status 500, one whose
    /// answer is not all sent is aborted.
    pub async fn reject(self, status: StatusCode) -> Result<(), SessionError> {
        let mut response = http::Response::new(());
        *response.status_mut() = status;
        self.reject_with(response).await
    }

    /// Rejects with a response's status and headers, and returns once the answer is on its way.
    ///
    /// # Errors
    ///
    /// As [`reject`](Self::reject), or if a header must not be sent over HTTP/3 (`connection` and
    /// its like), which is
    /// [`SessionError::InvalidResponse`].
    ///
    /// # Panics
    ///
    /// Panics if the status is informational (1xx) or a success (2xx).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a request whose answer was not begun is rejected with status 500, one whose
    /// answer is not all sent is aborted.
    pub async fn reject_with(mut self, response: http::Response<()>) -> Result<(), SessionError> {
        let status = response.status();
        assert!(
            !status.is_informational() && !status.is_success(),
            "a session is not rejected with {status}",
        );
        let send = self.refuse(response).await?;
        self.finish(send);
        Ok(())
    }

    /// Rejects with the response of a service, whose status is none of 2xx.
    pub(crate) async fn reject_with_body<B>(
        mut self,
        response: http::Response<B>,
    ) -> Result<(), SessionError>
    where
        B: http_body::Body,
    {
        let (mut parts, body) = response.into_parts();
        let mut body = pin!(body);
        head::strip(&mut parts.headers);
        head::set_content_length(&mut parts.headers, body.size_hint().exact());
        let send = self.refuse(http::Response::from_parts(parts, ())).await?;
        let mut content = ContentStream::new(send, &self.handle.core.left_behind);
        while !body.is_end_stream() {
            let next = poll_fn(|cx| body.as_mut().poll_frame(cx));
            let data = match next.await.map(|frame| frame.map_err(drop)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(())) => return Ok(()),
                None => break,
            };
            if let Ok(mut data) = data
                && data.has_remaining()
            {
                let data = data.copy_to_bytes(data.remaining());
                content.write(&reply::data(&data)).await?;
            }
        }
        self.finish(content.into_inner());
        Ok(())
    }

    /// Sets what was chosen of the subprotocols that the client offers.
    pub(crate) fn choose_protocol(&mut self, protocol: String) {
        self.protocol = Some(protocol);
    }

    /// From here on it is aborted if it is dropped unanswered.
    pub(crate) fn aborted_on_drop(mut self) -> Self {
        self.answering = true;
        self
    }

    /// Waits until the client has reset its direction, and so given the request up.
    pub(crate) async fn reset(&mut self) {
        let Some(streams) = &mut self.streams else {
            return;
        };
        let error = given_up(&mut streams.recv, &mut streams.rest).await;
        if let quinn::ReadError::Reset(_) = error {
            self.abort = code::H3_REQUEST_CANCELLED;
        }
    }

    /// Waits until the client wants no answer any more, or the connection is over.
    pub(crate) fn given_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.streams.as_ref().map(|streams| streams.send.stopped());
        async move {
            if let Some(stopped) = stopped {
                let _ = stopped.await;
            }
        }
    }

    /// What serves the session is traced inside of this.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// How long somebody may take to take the session.
    pub(crate) fn patience(&self) -> Duration {
        self.handle.core.limits.header_timeout
    }

    /// Sends the headers of a rejection, behind which there may be a body.
    async fn refuse(
        &mut self,
        response: http::Response<()>,
    ) -> Result<quinn::SendStream, SessionError> {
        if let Some(streams) = &self.streams {
            // Before the client knows, which may then ask for another in this one's place.
            let id = streams.send.id().into();
            self.handle.core.sessions.remove(id);
        }
        let Streams { send, mut recv, .. } = self.send(response).await?;
        // RFC 9114 §4.1.1: what is left of a request that was answered is not wanted.
        let _ = recv.stop(wire::varint(code::H3_NO_ERROR));
        Ok(send)
    }

    fn finish(&self, mut send: quinn::SendStream) {
        let _ = send.finish();
        self.handle.core.answers.push(send);
    }

    /// Sends the response's headers, and gives the streams to whoever goes on.
    async fn send(&mut self, response: http::Response<()>) -> Result<Streams, SessionError> {
        let bytes = reply::encode(response).ok_or(SessionError::InvalidResponse)?;
        self.answering = true;
        let streams = self.streams.as_mut().expect(TAKEN_LAST);
        reply::write(&mut streams.send, &bytes).await?;
        Ok(self.streams.take().expect(TAKEN_LAST))
    }
}

impl Drop for SessionRequest {
    fn drop(&mut self) {
        let Some(mut streams) = self.streams.take() else {
            return;
        };
        self.handle.core.sessions.remove(streams.send.id().into());
        if self.answering {
            // Part of an answer may be out, after which no other can begin.
            self.handle
                .core
                .left_behind
                .refuse(&mut streams.send, &mut streams.recv, self.abort);
            return;
        }
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        if reply::at_once(&mut streams.send, &mut streams.recv, status) {
            self.handle.core.answers.push(streams.send);
        }
    }
}

impl fmt::Debug for SessionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRequest")
            .field("uri", self.uri())
            .field("headers", self.headers())
            .finish_non_exhaustive()
    }
}

const TAKEN_LAST: &str = "the streams are taken once, at the end";

use std::mem;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::HeaderName;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::coop::consume_budget;
use tracing::Span;

use crate::connection::cancelled::Cancelled;
use crate::connection::{Core, Handle};
use crate::error::{ConnectionError, OpenError};
use crate::proto::fault::Fault;
use crate::proto::generation::Names;
use crate::proto::headers_frame::HeadersReader;
use crate::proto::{code, frame, message, qpack, subprotocol};
use crate::session::{SessionCore, SessionHandle};
use crate::{Protocols, Session, head, trace, wire};

/// Asks for a session, and waits for the answer.
pub(crate) async fn open(
    handle: Arc<Handle>,
    mut request: http::Request<()>,
    reserved: OwnedSemaphorePermit,
) -> Result<http::Response<Session>, OpenError> {
    let core = &handle.core;
    let span = trace::session(core, request.uri());
    let offered = offer(&mut request);
    let headers = encode(core, request)?;
    let opened = tokio::select! {
        biased;
        () = core.draining() => {
            return Err(core.ending().map_or(OpenError::Draining, OpenError::from));
        }
        opened = core.quinn.open_bi() => opened,
    };
    let (send, recv) = opened.map_err(|error| core.lost(error))?;
    let mut connect = Connect::new(core, send, recv, reserved);
    span.record("id", connect.id);
    let response = tokio::select! {
        biased;
        () = core.goaway.unprocessed(connect.id) => return Err(OpenError::Unprocessed),
        response = connect.exchange(&headers) => response?,
    };
    if !response.status().is_success() {
        connect.give_up(code::H3_REQUEST_CANCELLED);
        return Err(OpenError::Rejected(Box::new(response)));
    }
    let generation = core.peer.generation();
    let protocol = subprotocol::choice(response.headers(), generation.names());
    if let Some(wrong) = protocol.as_ref().filter(|name| !offered.contains(name)) {
        connect.give_up(generation.protocol_error());
        core.activity.count_error();
        return Err(OpenError::WrongProtocol(wrong.clone()));
    }
    let session = connect.establish(span);
    let session = Session::new(SessionHandle::new(session, Arc::clone(&handle), protocol));
    Ok(response.map(|()| session))
}

/// Puts the subprotocols that are offered into the headers, and says which they are.
fn offer(request: &mut http::Request<()>) -> Vec<String> {
    if let Some(protocols) = request.extensions().get::<Protocols>() {
        let value = protocols.to_header();
        request.headers_mut().insert(subprotocol::OFFER, value);
    }
    // Its own header is read as it may be written by hand.
    subprotocol::offer(request.headers(), Names::Either).names
}

/// The request's HEADERS frame.
fn encode(core: &Core, request: http::Request<()>) -> Result<Bytes, OpenError> {
    let (mut parts, ()) = request.into_parts();
    let mut uri = mem::take(&mut parts.uri).into_parts();
    uri.scheme.get_or_insert(Scheme::HTTPS);
    uri.authority.get_or_insert_with(|| core.authority.clone());
    parts.uri = Uri::from_parts(uri).map_err(|error| OpenError::InvalidRequest(error.into()))?;
    let generation = core.peer.generation();
    if generation.has_version_header() {
        parts.headers.insert(DRAFT02, HeaderValue::from_static("1"));
    }
    let block = message::encode_connect(&parts, generation.token())
        .map_err(|error| OpenError::InvalidRequest(error.into()))?;
    let mut framed = BytesMut::with_capacity(block.len() + 16);
    frame::put(&mut framed, frame::HEADERS, &block);
    Ok(framed.freeze())
}

/// A CONNECT stream without an answer. Dropped, it is cancelled.
struct Connect<'a> {
    core: &'a Core,
    id: u64,
    streams: Option<Streams>,
    reader: HeadersReader,
}

struct Streams {
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    reserved: OwnedSemaphorePermit,
}

impl<'a> Connect<'a> {
    fn new(
        core: &'a Core,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        reserved: OwnedSemaphorePermit,
    ) -> Self {
        let id = send.id().into();
        core.sessions.ask_unbounded(id);
        let reader = HeadersReader::new(core.limits.header_block);
        Self {
            core,
            id,
            streams: Some(Streams {
                send,
                recv,
                reserved,
            }),
            reader,
        }
    }

    /// Sends the request, and reads the answer to it.
    async fn exchange(&mut self, headers: &[u8]) -> Result<http::Response<()>, OpenError> {
        let streams = self.streams.as_mut().expect(TAKEN_LAST);
        match streams.send.write_all(headers).await {
            // A server may answer before it has read everything.
            Ok(()) | Err(quinn::WriteError::Stopped(_)) => {}
            Err(quinn::WriteError::ConnectionLost(error)) => {
                return Err(self.core.lost(error).into());
            }
            Err(_) => return Err(OpenError::Malformed),
        }
        for _ in 0..=head::MAX_INTERIM {
            let response = self.response().await?;
            if !response.status().is_informational() {
                return Ok(response);
            }
            // Others have their turn, however many there are.
            consume_budget().await;
            let rest = mem::replace(
                &mut self.reader,
                HeadersReader::new(self.core.limits.header_block),
            );
            self.reader.push(rest.into_rest());
        }
        Err(self.fail(Fault::TooLarge))
    }

    async fn response(&mut self) -> Result<http::Response<()>, OpenError> {
        let block = self.block().await?;
        let decoded = qpack::decode(&block, self.core.limits.header_block)
            .map_err(Fault::from)
            .and_then(|fields| Ok(message::decode_response(&fields)?));
        decoded.map_err(|fault| self.fail(fault))
    }

    async fn block(&mut self) -> Result<Bytes, OpenError> {
        loop {
            match self.reader.next() {
                Ok(Some(block)) => return Ok(block),
                Ok(None) => {}
                Err(fault) => return Err(self.fail(fault)),
            }
            let streams = self.streams.as_mut().expect(TAKEN_LAST);
            match streams.recv.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => self.reader.push(chunk.bytes),
                Ok(None) => {
                    return Err(match self.reader.finish() {
                        Ok(()) => {
                            self.core.activity.count_error();
                            OpenError::Malformed
                        }
                        Err(fault) => self.fail(fault.into()),
                    });
                }
                Err(quinn::ReadError::Reset(code)) => {
                    return Err(match code.into_inner() {
                        code::H3_REQUEST_REJECTED => OpenError::Unprocessed,
                        code => OpenError::Aborted { code },
                    });
                }
                Err(quinn::ReadError::ConnectionLost(error)) => {
                    return Err(self.core.lost(error).into());
                }
                Err(_) => return Err(OpenError::Malformed),
            }
        }
    }

    fn establish(mut self, span: Span) -> Arc<SessionCore> {
        let streams = self.streams.take().expect(TAKEN_LAST);
        let reader = mem::replace(&mut self.reader, HeadersReader::new(0));
        let Streams { send, recv, .. } = streams;
        let session = self
            .core
            .start_session(send, recv, reader.into_rest(), span);
        session.hold(Box::new(streams.reserved));
        session
    }

    /// Ends the stream, or the connection, over a fault of the server's.
    fn fail(&mut self, fault: Fault) -> OpenError {
        if let Fault::Connection(fault) = fault {
            self.core.fail(fault);
            return OpenError::Connection(ConnectionError::fault(fault));
        }
        self.give_up(fault.code());
        self.core.activity.count_error();
        OpenError::Malformed
    }

    /// Ends the stream where the server has answered, and counts the session no more.
    fn give_up(&mut self, code: u64) {
        if let Some(mut streams) = self.streams.take() {
            wire::refuse(&mut streams.send, &mut streams.recv, code);
            self.core.sessions.remove(self.id);
        }
    }
}

impl Drop for Connect<'_> {
    fn drop(&mut self) {
        if let Some(streams) = self.streams.take() {
            self.core.sessions.remove(self.id);
            let Streams {
                send,
                recv,
                reserved,
            } = streams;
            self.core
                .cancelled
                .push(Cancelled::new(send, recv, reserved));
        }
    }
}

const DRAFT02: HeaderName = HeaderName::from_static("sec-webtransport-http3-draft02");

const TAKEN_LAST: &str = "the streams are taken once, at the end";

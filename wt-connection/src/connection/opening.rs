use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::coop::consume_budget;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::connection::cancelled::Cancelled;
use crate::connection::{Core, Handle};
use crate::error::{ConnectionError, OpenError, SessionError};
use crate::proto::fault::{ConnectionFault, Fault};
use crate::proto::generation::Names;
use crate::proto::headers_frame::HeadersReader;
use crate::proto::{code, draft, frame, message, qpack, subprotocol};
use crate::session::{Ask, EarlySession, SessionCore, SessionHandle};
use crate::{EarlyData, Protocols, Session, head, trace, wire};

/// Asks for a session, and waits for the answer.
pub(crate) async fn open(
    handle: Arc<Handle>,
    request: http::Request<()>,
    reserved: OwnedSemaphorePermit,
) -> Result<http::Response<Session>, OpenError> {
    let mut asked = Asked::new(&handle.core, request, reserved).await?;
    let answer = asked.answer().await?;
    let session = asked.connect.establish(asked.span);
    let session = SessionHandle::new(session, handle);
    session.agree(answer.protocol);
    Ok(answer.response.map(|()| Session::new(session)))
}

/// Asks for a session that is used before the answer has come.
pub(crate) async fn open_early(
    handle: Arc<Handle>,
    request: http::Request<()>,
    reserved: OwnedSemaphorePermit,
) -> Result<EarlySession, OpenError> {
    let core = Arc::clone(&handle.core);
    let mut asked = Asked::new(&core, request, reserved).await?;
    asked.send().await?;
    let session = core.new_session(asked.connect.id);
    let handle = SessionHandle::new(Arc::clone(&session), handle);
    let (answered, answer) = oneshot::channel();
    let weak = Arc::downgrade(&handle);
    let span = asked.span.clone();
    let tasks = core.tasks.clone();
    let run = async move {
        let ended = tokio::select! {
            biased;
            ask = given_up(&session, core.limits.flush_timeout) => Err(ask),
            answer = asked.answer() => Ok(answer),
        };
        match ended {
            Ok(Ok(answer)) => {
                if let Some(handle) = weak.upgrade() {
                    handle.agree(answer.protocol);
                }
                // Whoever waits no more goes on without.
                let _ = answered.send(Ok(answer.response));
                if let Err(fault) = asked.connect.run(&session).await {
                    core.fail(fault);
                }
            }
            Ok(Err(error)) => {
                drop(asked);
                let ended = match &error {
                    OpenError::Connection(error) => SessionError::Connection(error.clone()),
                    _ => SessionError::NotAccepted,
                };
                session.end(&ended);
                let _ = answered.send(Err(error));
                session.finish();
            }
            Err(ask) => {
                drop(asked);
                if let Ask::Lost(SessionError::Connection(error)) = &ask {
                    let _ = answered.send(Err(error.clone().into()));
                }
                session.end(&ask.into_error());
                session.finish();
            }
        }
    };
    tasks.spawn(Box::pin(run.instrument(span)));
    Ok(EarlySession::new(Session::new(handle), answer))
}

/// Waits until a session that is not accepted yet is not wanted any more: when its last handle is
/// gone, what was sent waits for the answer for so long.
async fn given_up(session: &SessionCore, limit: Duration) -> Ask {
    let ask = session.asked_beyond(&Ask::Open).await;
    if ask.outranks(&Ask::Gone) {
        return ask;
    }
    let stronger = timeout(limit, session.asked_beyond(&Ask::Gone)).await;
    stronger.unwrap_or(ask)
}

/// A session that is asked for.
struct Asked {
    connect: Connect,
    /// The request's HEADERS frame, until it is sent.
    headers: Bytes,
    offered: Vec<String>,
    span: Span,
}

/// The server's word that it takes a session.
struct Answer {
    response: http::Response<()>,
    protocol: Option<String>,
}

impl Asked {
    /// Opens the CONNECT stream.
    async fn new(
        core: &Arc<Core>,
        mut request: http::Request<()>,
        reserved: OwnedSemaphorePermit,
    ) -> Result<Self, OpenError> {
        let span = trace::session(core, request.uri());
        let early = request.extensions().get::<EarlyData>().is_some();
        let offered = offer(&mut request, core.peer.takes_tokens());
        let headers = encode(core, request)?;
        let (send, recv) = tokio::select! {
            biased;
            () = core.draining() => {
                return Err(core.ending().map_or(OpenError::Draining, OpenError::from));
            }
            opened = async {
                if !early {
                    core.handshaken().await?;
                }
                core.quinn.open_bi().await.map_err(|error| core.lost(error))
            } => opened?,
        };
        let connect = Connect::new(Arc::clone(core), send, recv, reserved);
        span.record("id", connect.id);
        Ok(Self {
            connect,
            headers,
            offered,
            span,
        })
    }

    /// Sends the request.
    async fn send(&mut self) -> Result<(), OpenError> {
        let headers = mem::take(&mut self.headers);
        self.connect.send(&headers).await
    }

    /// Sends the request, unless that is done, and waits until it is accepted.
    async fn answer(&mut self) -> Result<Answer, OpenError> {
        let core = Arc::clone(&self.connect.core);
        let response = tokio::select! {
            biased;
            () = core.goaway.unprocessed(self.connect.id) => return Err(OpenError::Draining),
            response = async {
                self.send().await?;
                self.connect.final_response().await
            } => response?,
        };
        if !response.status().is_success() {
            self.connect.give_up(code::H3_REQUEST_CANCELLED);
            return Err(OpenError::Rejected(Box::new(response)));
        }
        let generation = core.peer.generation();
        let protocol = subprotocol::choice(response.headers(), generation.names());
        let wrong = protocol
            .as_ref()
            .filter(|name| !self.offered.contains(name));
        if let Some(wrong) = wrong {
            self.connect.give_up(generation.protocol_error());
            core.activity.count_error();
            return Err(OpenError::WrongProtocol(wrong.clone()));
        }
        Ok(Answer { response, protocol })
    }
}

/// Puts the subprotocols that are offered into the headers, and says which they are.
fn offer(request: &mut http::Request<()>, tokens: bool) -> Vec<String> {
    if let Some(protocols) = request.extensions().get::<Protocols>() {
        let value = protocols.to_header(tokens);
        request.headers_mut().insert(draft::OFFER_10, value);
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
        parts
            .headers
            .insert(draft::VERSION_02, HeaderValue::from_static("1"));
    }
    let block = message::encode_connect(&parts, generation.token())
        .map_err(|error| OpenError::InvalidRequest(error.into()))?;
    let mut framed = BytesMut::with_capacity(block.len() + 16);
    frame::put(&mut framed, frame::HEADERS, &block);
    Ok(framed.freeze())
}

/// A CONNECT stream without an answer. Dropped, it is cancelled.
struct Connect {
    core: Arc<Core>,
    id: u64,
    streams: Option<Streams>,
    reader: HeadersReader,
}

struct Streams {
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    reserved: OwnedSemaphorePermit,
}

impl Connect {
    fn new(
        core: Arc<Core>,
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

    async fn send(&mut self, headers: &[u8]) -> Result<(), OpenError> {
        let streams = self.streams.as_mut().expect(TAKEN_LAST);
        match streams.send.write_all(headers).await {
            // A server may answer before it has read everything.
            Ok(()) | Err(quinn::WriteError::Stopped(_)) => Ok(()),
            Err(quinn::WriteError::ConnectionLost(error)) => Err(self.core.lost(error).into()),
            Err(quinn::WriteError::ZeroRttRejected) => Err(REJECTED.into()),
            Err(_) => Err(OpenError::Malformed),
        }
    }

    /// Reads the answer to the request.
    async fn final_response(&mut self) -> Result<http::Response<()>, OpenError> {
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
                        // As the GOAWAY says, which came first.
                        code::H3_REQUEST_REJECTED if self.core.goaway.is_received() => {
                            OpenError::Draining
                        }
                        code::H3_REQUEST_REJECTED => OpenError::Unprocessed,
                        code => OpenError::Aborted { code },
                    });
                }
                Err(quinn::ReadError::ConnectionLost(error)) => {
                    return Err(self.core.lost(error).into());
                }
                Err(quinn::ReadError::ZeroRttRejected) => return Err(REJECTED.into()),
                Err(_) => return Err(OpenError::Malformed),
            }
        }
    }

    /// Begins the session, which is accepted.
    fn establish(mut self, span: Span) -> Arc<SessionCore> {
        let (streams, rest) = self.take();
        let Streams {
            send,
            recv,
            reserved,
        } = streams;
        let session = self.core.start_session(send, recv, rest, span);
        session.hold(Box::new(reserved));
        session
    }

    /// Runs the session, which has begun before and is accepted.
    async fn run(mut self, session: &Arc<SessionCore>) -> Result<(), ConnectionFault> {
        let (streams, rest) = self.take();
        let Streams {
            send,
            recv,
            reserved,
        } = streams;
        session.hold(Box::new(reserved));
        self.core
            .session_task(session, send, recv, rest)
            .run()
            .await
    }

    fn take(&mut self) -> (Streams, Bytes) {
        let streams = self.streams.take().expect(TAKEN_LAST);
        let reader = mem::replace(&mut self.reader, HeadersReader::new(0));
        (streams, reader.into_rest())
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

impl Drop for Connect {
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

const REJECTED: ConnectionError = ConnectionError::EarlyDataRejected;

const TAKEN_LAST: &str = "the streams are taken once, at the end";

use std::mem;

use bytes::Bytes;
use http::StatusCode;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::head;
use crate::limits::Limits;
use crate::proto::fault::{ConnectionFault, Fault};
use crate::proto::headers_frame::HeadersReader;
use crate::proto::stream_header::{self, Kind};
use crate::proto::{chunk, code, message, qpack};

/// A unidirectional stream of the peer's whose type is not known yet.
#[derive(Debug)]
pub(crate) struct UniArrival {
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
}

impl UniArrival {
    pub(crate) fn new(recv: quinn::RecvStream) -> Self {
        Self {
            recv,
            rest: Bytes::new(),
        }
    }

    /// Reads the stream's type; `None` if the stream ends before.
    ///
    /// Cancel safe: what has been read is in `rest`.
    pub(crate) async fn read(&mut self) -> Result<Option<Kind>, ConnectionFault> {
        loop {
            if let Some(kind) = stream_header::decode_uni(&mut self.rest)? {
                return Ok(Some(kind));
            }
            match self.recv.read_chunk(usize::MAX, true).await {
                Ok(Some(chunk)) => chunk::append(&mut self.rest, chunk.bytes),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }
}

/// A bidirectional stream of the peer's of which it is not known yet what it is.
#[derive(Debug)]
pub(crate) struct BiArrival {
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
    headers: Option<HeadersReader>,
    /// Held while it is not known what the stream is.
    pub(crate) reading: Option<TaskTrackerToken>,
}

/// What a bidirectional stream is.
#[derive(Debug)]
pub(crate) enum BiKind {
    /// One of this session's.
    Session(u64),
    /// A request for a session.
    Connect(Box<http::Request<()>>),
    /// Any other request, all of it still in `rest`.
    Http,
    /// A request that has this answer, whatever it asks for.
    Answer(StatusCode),
    /// Nothing to be answered: the peer breaks the rules, or gave it up.
    Refuse(u64),
}

impl BiArrival {
    pub(crate) fn new(send: quinn::SendStream, recv: quinn::RecvStream) -> Self {
        Self {
            send,
            recv,
            rest: Bytes::new(),
            headers: None,
            reading: None,
        }
    }

    pub(crate) fn into_parts(self) -> (quinn::SendStream, quinn::RecvStream, Bytes) {
        (self.send, self.recv, self.rest)
    }

    /// Reads what the stream is.
    ///
    /// Cancel safe: what has been read is in `self`.
    pub(crate) async fn read(&mut self, limits: &Limits) -> Result<BiKind, ConnectionFault> {
        loop {
            if let Some(kind) = self.decode(limits)? {
                return Ok(kind);
            }
            // Two, so that quinn looks for the stream's end, too.
            let mut chunks = [Bytes::new(), Bytes::new()];
            match self.recv.read_chunks(&mut chunks).await {
                Ok(Some(_)) => {
                    for chunk in chunks {
                        match &mut self.headers {
                            Some(headers) => headers.push(chunk),
                            None => chunk::append(&mut self.rest, chunk),
                        }
                    }
                }
                Ok(None) => {
                    self.headers
                        .as_ref()
                        .map_or(Ok(()), HeadersReader::finish)?;
                    return Ok(BiKind::Refuse(code::H3_REQUEST_INCOMPLETE));
                }
                Err(_) => return Ok(BiKind::Refuse(code::H3_REQUEST_CANCELLED)),
            }
        }
    }

    fn decode(&mut self, limits: &Limits) -> Result<Option<BiKind>, ConnectionFault> {
        let headers = match &mut self.headers {
            Some(headers) => headers,
            None => match stream_header::decode_bi(&mut self.rest)? {
                None => return Ok(None),
                Some(Kind::Session(id)) => return Ok(Some(BiKind::Session(id))),
                Some(_) if self.send.id().initiator() == quinn::Side::Server => {
                    return Err(REQUEST_BY_SERVER);
                }
                Some(_) => {
                    let mut headers = HeadersReader::new(limits.header_block);
                    headers.push(mem::take(&mut self.rest));
                    self.headers.insert(headers)
                }
            },
        };
        let kind = match headers.next() {
            Ok(None) => return Ok(None),
            Ok(Some(block)) => self.decode_headers(&block, limits),
            Err(fault) => Err(fault),
        };
        match kind {
            Ok(kind) => Ok(Some(kind)),
            Err(Fault::Connection(fault)) => Err(fault),
            Err(Fault::Stream(code)) => Ok(Some(BiKind::Refuse(code))),
            Err(Fault::TooLarge) => {
                let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                Ok(Some(BiKind::Answer(status)))
            }
        }
    }

    fn decode_headers(&mut self, block: &[u8], limits: &Limits) -> Result<BiKind, Fault> {
        let headers = self.headers.take().expect("the block came from its reader");
        if qpack::is_plain_request(block, limits.header_block) {
            self.rest = headers.into_raw();
            return Ok(BiKind::Http);
        }
        let fields = qpack::decode(block, limits.header_block)?;
        let connect = message::decode_connect(&fields)?;
        Ok(match connect {
            Some(mut request) => {
                head::join_cookies(request.headers_mut());
                self.rest = headers.into_rest();
                BiKind::Connect(Box::new(request))
            }
            // RFC 9220 §3
            None if message::is_extended_connect(&fields) => {
                BiKind::Answer(StatusCode::NOT_IMPLEMENTED)
            }
            None => {
                message::check_plain(&fields)?;
                self.rest = headers.into_raw();
                BiKind::Http
            }
        })
    }
}

const REQUEST_BY_SERVER: ConnectionFault = ConnectionFault::new(
    code::H3_STREAM_CREATION_ERROR,
    "a request stream of a server's",
);

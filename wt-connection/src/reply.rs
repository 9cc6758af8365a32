//! Answers to requests, each one HEADERS frame.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use crate::error::SessionError;
use crate::proto::{code, frame, message};
use crate::{wait, wire};

/// Encodes a response's HEADERS frame; `None` if a header must not be sent over HTTP/3.
pub(crate) fn encode(response: http::Response<()>) -> Option<Bytes> {
    let (parts, ()) = response.into_parts();
    let block = message::encode_response(&parts).ok()?;
    let mut framed = BytesMut::with_capacity(block.len() + 16);
    frame::put(&mut framed, frame::HEADERS, &block);
    Some(framed.freeze())
}

/// Encodes a DATA frame.
pub(crate) fn data(content: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(content.len() + 16);
    frame::put(&mut framed, frame::DATA, content);
    framed.freeze()
}

/// Answers with a status alone and gives the stream up, without waiting; says whether it did: where
/// the few bytes do not fit into the peer's window, the stream is reset.
pub(crate) fn at_once(
    send: &mut quinn::SendStream,
    recv: &mut quinn::RecvStream,
    status: StatusCode,
) -> bool {
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    let written =
        encode(response).is_some_and(|bytes| wait::at_once(pin!(send.write_all(&bytes))).is_some());
    if !written {
        let _ = send.reset(wire::varint(code::H3_INTERNAL_ERROR));
    }
    let _ = send.finish();
    // RFC 9114 §4.1.1: what is left of a request that was answered is not wanted.
    let _ = recv.stop(wire::varint(code::H3_NO_ERROR));
    written
}

/// Sends a part of an answer.
pub(crate) async fn write(send: &mut quinn::SendStream, bytes: &[u8]) -> Result<(), SessionError> {
    send.write_all(bytes).await.map_err(|error| match error {
        quinn::WriteError::ConnectionLost(error) => SessionError::Connection(error.into()),
        quinn::WriteError::Stopped(code) => SessionError::Aborted {
            code: code.into_inner(),
        },
        quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected => {
            SessionError::Aborted {
                code: code::H3_REQUEST_CANCELLED,
            }
        }
    })
}

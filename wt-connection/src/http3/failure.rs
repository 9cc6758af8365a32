use h3::error::StreamError;

use crate::connection::Core;
use crate::error::{BodyError, ConnectionError, RequestError};
use crate::proto::code;
use crate::proto::control::Side;
use crate::proto::fault::ConnectionFault;

/// What an error of h3's means for the one message.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The peer gave the message up, with this code of HTTP/3's.
    Aborted(u64),
    /// The peer broke the rules; h3 may want no more of it.
    Malformed,
    /// The connection is over.
    Lost(ConnectionError),
}

impl Failure {
    pub(crate) fn new(error: &StreamError, core: &Core) -> Self {
        match error {
            StreamError::RemoteTerminate { code, .. } => Self::Aborted(code.value()),
            StreamError::ConnectionError { .. } => core.over().map_or_else(
                || {
                    // h3 wants no more of the peer, over this one message.
                    match core.side {
                        // All else that it takes for a fault of the connection's was found before.
                        Side::Server => core.fail(UNDECODABLE),
                        Side::Client => core.distrust(),
                    }
                    Self::Malformed
                },
                Self::Lost,
            ),
            // What the transport has found before h3 saw it, among others.
            _ => Self::Malformed,
        }
    }
}

impl From<Failure> for BodyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Aborted(code) => Self::Aborted { code },
            Failure::Malformed => Self::Malformed,
            Failure::Lost(error) => Self::Connection(error),
        }
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Aborted(code::H3_REQUEST_REJECTED) => Self::Unprocessed,
            Failure::Aborted(code) => Self::Aborted { code },
            Failure::Malformed => Self::Malformed,
            Failure::Lost(error) => Self::Connection(error),
        }
    }
}

/// The one fault of a request's that h3 finds, and that RFC 9204 calls one of the connection's.
pub(super) const UNDECODABLE: ConnectionFault = ConnectionFault::new(
    code::QPACK_DECOMPRESSION_FAILED,
    "a header block that cannot be decoded",
);

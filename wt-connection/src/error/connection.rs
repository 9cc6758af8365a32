use std::borrow::Cow;

use bytes::Bytes;

use crate::proto::code;
use crate::proto::fault::ConnectionFault;

/// Why a connection is over.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// This side closed it, or dropped the last handle of it.
    #[error("closed by this side")]
    Closed,
    /// The peer closed it; `H3_NO_ERROR` (`0x100`) is an orderly end.
    #[error("closed by the peer with code {code:#x}{}", Explained(.reason))]
    ClosedByPeer {
        /// HTTP/3's code, [RFC 9114 §8.1](https://www.rfc-editor.org/rfc/rfc9114#section-8.1).
        code: u64,
        /// What the peer said beside the code; often empty, not always UTF-8.
        reason: Bytes,
    },
    /// Nothing was heard of the peer for the idle timeout.
    #[error("the peer fell silent")]
    TimedOut,
    /// The peer no longer knows the connection; it has restarted, most likely.
    #[error("the peer has lost the connection's state")]
    Reset,
    /// The server made nothing of what this side had sent before the handshake was done: it does
    /// not know the client any more. Nothing was processed, and the next connection begins anew.
    #[error("the server has rejected early data")]
    EarlyDataRejected,
    /// The peer broke HTTP/3's rules, or is a server without what sessions need, so this side ended
    /// the connection with `code`.
    #[error("the peer broke the protocol: {reason}")]
    Protocol {
        /// The code that the connection was closed with.
        code: u64,
        /// Which rule it was.
        reason: &'static str,
    },
    /// This side failed: the task of the connection has panicked. The peer is told
    /// `H3_INTERNAL_ERROR`.
    #[error("an internal error of this side")]
    Internal,
    /// QUIC itself failed, on either side.
    #[error("the transport failed: {reason}")]
    Transport {
        /// QUIC's code, [RFC 9000 §20.1](https://www.rfc-editor.org/rfc/rfc9000#section-20.1).
        code: u64,
        /// What the side that noticed said.
        reason: String,
    },
}

impl ConnectionError {
    pub(crate) fn fault(fault: ConnectionFault) -> Self {
        Self::Protocol {
            code: fault.code,
            reason: fault.reason,
        }
    }

    /// Says whether something went wrong: neither side closed the connection as it should be.
    pub(crate) fn is_failure(&self) -> bool {
        !matches!(self, Self::Closed) && !self.is_orderly()
    }

    /// Says whether the peer ended the connection in order: it closed with `H3_NO_ERROR`.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        matches!(self, Self::ClosedByPeer { code, .. } if *code == code::H3_NO_ERROR)
    }
}

impl From<quinn::ConnectionError> for ConnectionError {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            quinn::ConnectionError::LocallyClosed => Self::Closed,
            quinn::ConnectionError::ApplicationClosed(close) => Self::ClosedByPeer {
                code: close.error_code.into_inner(),
                reason: close.reason,
            },
            quinn::ConnectionError::TimedOut => Self::TimedOut,
            quinn::ConnectionError::Reset => Self::Reset,
            quinn::ConnectionError::ConnectionClosed(close) => Self::Transport {
                code: close.error_code.into(),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            quinn::ConnectionError::TransportError(error) => Self::Transport {
                code: error.code.into(),
                reason: error.reason,
            },
            quinn::ConnectionError::VersionMismatch => Self::Transport {
                code: 0,
                reason: "no common QUIC version".into(),
            },
            quinn::ConnectionError::CidsExhausted => Self::Transport {
                code: 0,
                reason: "no connection ids left".into(),
            },
        }
    }
}

struct Explained<'a>(&'a Bytes);

impl std::fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match String::from_utf8_lossy(self.0) {
            Cow::Borrowed("") => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

use std::fmt;
use std::sync::Arc;

use crate::error::ConnectionError;

/// What a session is closed with: the application's code and its reason.
#[derive(Clone, PartialEq, Eq)]
pub struct Close {
    code: u32,
    reason: Arc<str>,
}

impl Close {
    pub(crate) fn new(code: u32, reason: impl Into<Arc<str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// The application's code; 0 where the side that closed gave none.
    #[must_use]
    pub fn code(&self) -> u32 {
        self.code
    }

    /// The application's reason, at most 1,024 bytes; often empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Debug for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close")
            .field("code", &self.code)
            .field("reason", &self.reason)
            .finish()
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// Why a session is over.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// This side closed the session, or dropped the last handle of it.
    #[error("closed by this side with {0}")]
    Closed(Close),
    /// The peer closed the session.
    #[error("closed by the peer with {0}")]
    ClosedByPeer(Close),
    /// The peer aborted the session's CONNECT stream.
    #[error("aborted by the peer with code {code:#x}")]
    Aborted {
        /// HTTP/3's code, [RFC 9114 §8.1](https://www.rfc-editor.org/rfc/rfc9114#section-8.1).
        code: u64,
    },
    /// The peer broke the rules of the session's CONNECT stream.
    #[error("the peer broke the session's protocol")]
    Protocol {
        /// The code that the CONNECT stream was aborted with.
        code: u64,
    },
    /// The answer of this side's cannot be sent: a header is none of HTTP/3's, or chooses a
    /// subprotocol that was not offered.
    #[error("the response cannot be sent")]
    InvalidResponse,
    /// The server did not accept the session, which was used before it had answered.
    #[error("the server did not accept the session")]
    NotAccepted,
    /// The connection below the session is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
}

impl SessionError {
    /// Says whether one side closed the session in order, with whatever code.
    #[must_use]
    pub fn is_orderly(&self) -> bool {
        self.close().is_some()
    }

    /// The code and reason that either side closed the session with, if one did.
    #[must_use]
    pub fn close(&self) -> Option<&Close> {
        match self {
            Self::Closed(close) | Self::ClosedByPeer(close) => Some(close),
            Self::Aborted { .. }
            | Self::Protocol { .. }
            | Self::InvalidResponse
            | Self::NotAccepted
            | Self::Connection(_) => None,
        }
    }
}

/// Why a datagram was not sent.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendDatagramError {
    /// It does not fit into one packet on the path as it is now.
    #[error("the datagram is larger than {max} bytes")]
    TooLarge {
        /// What [`Session::max_datagram_size`](crate::Session::max_datagram_size) said.
        max: usize,
    },
    /// The peer takes no datagrams.
    #[error("the peer takes no datagrams")]
    Unsupported,
    /// The session is over.
    #[error("the session is over")]
    Session(#[from] SessionError),
}

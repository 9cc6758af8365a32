use std::io;

use crate::InvalidTarget;
use crate::error::{ConnectionError, EndpointError};

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The target's host name leads to no address.
    #[error("the host name leads to no address")]
    NameNotFound(#[source] io::Error),
    /// No packet could be sent to any of the addresses.
    #[error("the address is unreachable")]
    Unreachable(#[source] io::Error),
    /// The server was reached and would not take the connection.
    #[error("the server refused the connection")]
    Refused,
    /// No answer came within the time allowed.
    ///
    /// A port that nobody listens on looks the same: QUIC's socket hears no ICMP.
    #[error("no connection within the time allowed")]
    TimedOut,
    /// TLS failed: the certificate is not trusted, or the server did not like ours.
    #[error("the TLS handshake failed: {reason}")]
    Tls {
        /// What the side that gave up said.
        reason: String,
    },
    /// The server does not speak HTTP/3.
    #[error("the server does not offer HTTP/3")]
    Alpn,
    /// The server speaks HTTP/3, and does not announce all that WebTransport needs, such as
    /// datagrams; the connection is closed with `WT_REQUIREMENTS_NOT_MET`.
    #[error("the server does not offer WebTransport")]
    NoWebTransport,
    /// The connection was lost while it was being made.
    #[error("the connection was lost during the handshake")]
    Lost(#[source] ConnectionError),
    /// The URL names no target; only where the target is given as text.
    #[error("the URL cannot be connected to")]
    InvalidTarget(#[source] InvalidTarget),
    /// There is no endpoint to connect from; only where one call makes both.
    #[error("no local endpoint could be made")]
    Endpoint(#[source] EndpointError),
    /// This side cannot connect: its endpoint is closed, or the server name is malformed.
    #[error("the local endpoint cannot connect")]
    Local(#[source] quinn::ConnectError),
}

impl From<quinn::ConnectError> for ConnectError {
    fn from(error: quinn::ConnectError) -> Self {
        match error {
            quinn::ConnectError::InvalidRemoteAddress(_) => {
                Self::Unreachable(io::Error::new(io::ErrorKind::AddrNotAvailable, error))
            }
            other => Self::Local(other),
        }
    }
}

impl From<ConnectionError> for ConnectError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Transport {
                code: CONNECTION_REFUSED,
                ..
            } => Self::Refused,
            ConnectionError::Transport {
                code: NO_APPLICATION_PROTOCOL,
                ..
            } => Self::Alpn,
            ConnectionError::Transport {
                code: CRYPTO_FIRST..=CRYPTO_LAST,
                reason,
            } => Self::Tls { reason },
            other => Self::Lost(other),
        }
    }
}

impl From<quinn::ConnectionError> for ConnectError {
    fn from(error: quinn::ConnectionError) -> Self {
        ConnectionError::from(error).into()
    }
}

// RFC 9000 §20.1; a TLS alert is the low byte of a CRYPTO_ERROR.
const CONNECTION_REFUSED: u64 = 0x02;
const CRYPTO_FIRST: u64 = 0x0100;
const CRYPTO_LAST: u64 = 0x01ff;
const NO_APPLICATION_PROTOCOL: u64 = CRYPTO_FIRST + 120;

use std::error::Error;

use crate::error::{ConnectError, ConnectionError};

/// Why a session was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The server answered with a status outside 2xx; redirects are among them.
    #[error("the server answered with status {}", .0.status())]
    Rejected(Box<http::Response<()>>),
    /// The server did not look at the request, for a limit of its own, or as it goes away and has
    /// not said so in time; it is safe to send it again.
    #[error("the server refused the request unprocessed")]
    Unprocessed,
    /// The server gave the request up halfway, with HTTP/3's code.
    #[error("the server aborted the request with code {code:#x}")]
    Aborted {
        /// [RFC 9114 §8.1](https://www.rfc-editor.org/rfc/rfc9114#section-8.1)
        code: u64,
    },
    /// The server's answer is no valid HTTP response.
    #[error("the server's response is malformed")]
    Malformed,
    /// The server chose a subprotocol that was not offered; the session was aborted.
    #[error("the server chose the subprotocol {0:?}, which was not offered")]
    WrongProtocol(String),
    /// The request cannot be sent as it is: its URI or a header is not allowed in a CONNECT.
    #[error("the request cannot be sent")]
    InvalidRequest(#[source] Box<dyn Error + Send + Sync>),
    /// The connection takes no new sessions: the server is draining it, and has not looked at the
    /// request, if it was sent at all; it is safe to send it again on another connection.
    #[error("the connection is draining")]
    Draining,
    /// Only clients open sessions; this is a connection that a server accepted.
    #[error("a server cannot open a session")]
    NotClient,
    /// The connection is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
    /// There is no connection; only where one call makes both.
    #[error("no connection could be made")]
    Connect(#[from] ConnectError),
}

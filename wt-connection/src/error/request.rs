use std::error::Error;

use crate::error::ConnectionError;

/// Why a request got no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
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
    /// The server's response is no valid HTTP/3 response.
    #[error("the server's response is malformed")]
    Malformed,
    /// The request cannot be sent as it is: its method, its URI, or a header.
    #[error("the request cannot be sent")]
    InvalidRequest(#[source] Box<dyn Error + Send + Sync>),
    /// The request's own body failed while it was sent.
    #[error("the request's body failed")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The connection takes no new requests: it is being drained, or the server has sent a response
    /// that leaves no trust in the next one. The server has not looked at the request, if it was
    /// sent at all; it is safe to send it again on another connection.
    #[error("the connection is draining")]
    Draining,
    /// Only clients send requests; this is a connection that a server accepted.
    #[error("a server cannot send a request")]
    NotClient,
    /// The connection is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
}

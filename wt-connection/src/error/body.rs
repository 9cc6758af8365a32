use crate::error::ConnectionError;

/// Why the content of a request or a response broke off.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The peer gave the message up halfway, with HTTP/3's code.
    #[error("the peer aborted the message with code {code:#x}")]
    Aborted {
        /// [RFC 9114 §8.1](https://www.rfc-editor.org/rfc/rfc9114#section-8.1)
        code: u64,
    },
    /// What arrived breaks HTTP/3's rules, or differs from its own `content-length`.
    #[error("the message is malformed")]
    Malformed,
    /// The connection is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
}

use crate::error::ConnectionError;

/// Why a ping has no figure.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PingError {
    /// The peer did not answer within the time allowed, or did not let another stream be opened.
    ///
    /// The connection may live: the path may have lost packets, or be slow.
    #[error("no answer within the time allowed")]
    TimedOut,
    /// The connection is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
}

use crate::error::ConnectionError;

/// Why a ping has no figure.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PingError {
    /// The peer did not answer within the time allowed.
    ///
    /// The connection may live: the path may have lost packets, or be slow.
    #[error("no answer within the time allowed")]
    TimedOut,
    /// No stream was free within the time allowed, so that the peer was not asked: as many
    /// unidirectional streams are open as it allows.
    ///
    /// It does not mean that the peer is gone: the application may hold them all.
    #[error("no stream for a ping within the time allowed")]
    NoStream,
    /// The connection is over.
    #[error("the connection is over")]
    Connection(#[from] ConnectionError),
}

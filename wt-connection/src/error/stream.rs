use std::io;

use crate::error::SessionError;

/// Why a stream could not be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer reset the stream; `None` where its code is none of an application's.
    #[error("reset by the peer{}", Coded(*.0))]
    Reset(Option<u32>),
    /// This side has stopped the stream.
    #[error("the stream was stopped by this side")]
    Stopped,
    /// The session is over.
    #[error("the session is over")]
    Session(#[from] SessionError),
}

/// Why a stream could not be read to its end.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadToEndError {
    /// The stream is longer than the limit that the caller set; what was read is lost.
    #[error("the stream is longer than the limit")]
    TooLong,
    /// The stream broke off.
    #[error("the stream could not be read")]
    Read(#[from] ReadError),
}

impl From<SessionError> for ReadToEndError {
    fn from(error: SessionError) -> Self {
        Self::Read(error.into())
    }
}

/// Why a stream could not be written.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The peer reads no further; `None` where its code is none of an application's.
    #[error("stopped by the peer{}", Coded(*.0))]
    Stopped(Option<u32>),
    /// This side has finished or reset the stream.
    #[error("the stream was finished or reset by this side")]
    Finished,
    /// The session is over.
    #[error("the session is over")]
    Session(#[from] SessionError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::Reset(_) => io::ErrorKind::ConnectionReset,
            ReadError::Stopped | ReadError::Session(_) => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        let kind = match error {
            WriteError::Stopped(_) => io::ErrorKind::ConnectionReset,
            WriteError::Finished | WriteError::Session(_) => io::ErrorKind::NotConnected,
        };
        Self::new(kind, error)
    }
}

struct Coded(Option<u32>);

impl std::fmt::Display for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code) => write!(f, " with code {code}"),
            None => Ok(()),
        }
    }
}

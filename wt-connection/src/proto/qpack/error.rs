use crate::proto::code;
use crate::proto::fault::{ConnectionFault, Fault};

/// Why a header block cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QpackError {
    /// It is no header block.
    #[error("malformed header block")]
    Malformed,
    /// It refers to the dynamic table, which has no room.
    #[error("header block refers to the dynamic table")]
    Dynamic,
    /// Its fields take more than the limit.
    #[error("header block is too large")]
    TooLarge,
}

impl QpackError {
    /// Names what to close with.
    pub const fn code(&self) -> u64 {
        match self {
            Self::Malformed | Self::Dynamic => code::QPACK_DECOMPRESSION_FAILED,
            Self::TooLarge => code::H3_EXCESSIVE_LOAD,
        }
    }
}

impl From<QpackError> for Fault {
    fn from(error: QpackError) -> Self {
        let reason = match error {
            QpackError::Malformed => "malformed header block",
            QpackError::Dynamic => "header block refers to the dynamic table",
            QpackError::TooLarge => return Self::TooLarge,
        };
        Self::Connection(ConnectionFault::new(error.code(), reason))
    }
}

use crate::proto::code::H3_MESSAGE_ERROR;
use crate::proto::fault::Fault;

/// Why a message is malformed, or may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A pseudo header is missing.
    #[error("no {0}")]
    Missing(&'static str),
    /// A pseudo header came twice.
    #[error("{0} came twice")]
    Duplicate(&'static str),
    /// A pseudo header is not known, or not allowed in this message.
    #[error("unexpected pseudo header")]
    UnknownPseudo,
    /// A pseudo header came after an ordinary one.
    #[error("pseudo header after others")]
    MisplacedPseudo,
    /// A pseudo header has a value that it may not have.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// A header's name is not in lower case, or has a bad character.
    #[error("invalid header name")]
    HeaderName,
    /// A header's value has a bad character.
    #[error("invalid header value")]
    HeaderValue,
    /// A header speaks of a connection of HTTP/1.
    #[error("header is specific to a connection")]
    ConnectionSpecific,
    /// There are more headers than a map takes.
    #[error("too many headers")]
    TooMany,
}

impl MessageError {
    /// Names what to reset the stream with.
    pub const fn code(&self) -> u64 {
        H3_MESSAGE_ERROR
    }
}

impl From<MessageError> for Fault {
    fn from(error: MessageError) -> Self {
        Self::Stream(error.code())
    }
}

//! What a peer did wrong, and how much has to go for it.

use crate::proto::code;

/// A violation that ends the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ConnectionFault {
    /// What to close the connection with.
    pub code: u64,
    /// What to log, and to tell the peer.
    pub reason: &'static str,
}

impl ConnectionFault {
    /// Blames the peer for `reason`, to be closed with `code`.
    pub const fn new(code: u64, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// A violation on a request stream, by what has to go for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The stream alone, reset and stopped with this code.
    #[error("the peer violated the protocol on this stream (code {0:#x})")]
    Stream(u64),
    /// The connection.
    #[error(transparent)]
    Connection(#[from] ConnectionFault),
    /// Nothing yet: the header block is over the limit, which a server may answer with a status.
    #[error("the header block is too large")]
    TooLarge,
}

impl Fault {
    /// Names what to reset the stream with, or to close the connection with.
    pub const fn code(&self) -> u64 {
        match self {
            Self::Stream(code) => *code,
            Self::Connection(fault) => fault.code,
            Self::TooLarge => code::H3_EXCESSIVE_LOAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_prints_its_reason_once() {
        let fault = ConnectionFault::new(code::H3_ID_ERROR, "the id grew");

        assert_eq!(fault.to_string(), "the id grew");
        assert_eq!(Fault::from(fault).to_string(), "the id grew");
    }
}

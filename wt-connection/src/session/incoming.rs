use bytes::Bytes;

use crate::wire;

/// A stream of the peer's that nobody has accepted yet, with what came after its header.
#[derive(Debug)]
pub(crate) enum IncomingStream {
    Bi(IncomingBi),
    Uni(IncomingUni),
}

#[derive(Debug)]
pub(crate) struct IncomingBi {
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
}

#[derive(Debug)]
pub(crate) struct IncomingUni {
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
}

impl IncomingStream {
    /// Gives the stream back to the peer with a code of HTTP/3's.
    pub(crate) fn refuse(self, code: u64) {
        match self {
            Self::Bi(mut stream) => wire::refuse(&mut stream.send, &mut stream.recv, code),
            Self::Uni(mut stream) => {
                let _ = stream.recv.stop(wire::varint(code));
            }
        }
    }
}

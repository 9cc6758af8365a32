use crate::proto::direction::Direction;
use crate::session::flow::Accepted;
use crate::stream::Received;
use crate::wire;

/// A stream of the peer's that nobody has accepted yet.
#[derive(Debug)]
pub(crate) enum IncomingStream {
    Bi(quinn::SendStream, Received),
    Uni(Received),
}

impl IncomingStream {
    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Bi(..) => Direction::Bi,
            Self::Uni(_) => Direction::Uni,
        }
    }

    /// Notes what room it takes in its session.
    pub(super) fn take_room(&mut self, accepted: Accepted) {
        match self {
            Self::Bi(_, recv) | Self::Uni(recv) => recv.take_room(accepted),
        }
    }

    /// Gives the stream back to the peer with a code of HTTP/3's.
    pub(crate) fn refuse(self, code: u64) {
        let code = wire::varint(code);
        let mut recv = match self {
            Self::Bi(mut send, recv) => {
                let _ = send.reset(code);
                recv
            }
            Self::Uni(recv) => recv,
        };
        // Either direction may be closed already, which is what is wanted.
        let _ = recv.stop(code);
    }
}

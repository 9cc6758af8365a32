//! Between the wire's numbers and quinn's.

use std::net::SocketAddr;

use quinn::VarInt;

use crate::proto::{code, draft};

/// An address as it is written: what a socket of both families says of IPv4 is undone.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An HTTP/3 code as quinn takes it.
pub(crate) fn varint(code: u64) -> VarInt {
    VarInt::from_u64(code).expect("every code that we send is below 2^62")
}

/// An application's stream code as it is sent.
pub(crate) fn app_code(code: u32) -> VarInt {
    varint(code::to_wire(code))
}

/// Gives both directions of a stream back to the peer.
pub(crate) fn refuse(send: &mut quinn::SendStream, recv: &mut quinn::RecvStream, code: u64) {
    // Either direction may be closed already, which is what is wanted.
    let _ = send.reset(varint(code));
    let _ = recv.stop(varint(code));
}

/// The code that a session's end gives its streams.
pub(crate) fn session_gone() -> VarInt {
    varint(draft::SESSION_GONE_03)
}

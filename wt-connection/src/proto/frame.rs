//! HTTP/3 frames ([RFC 9114 §7](https://www.rfc-editor.org/rfc/rfc9114#section-7)).

use bytes::{Buf, BufMut};

use crate::proto::code::{H3_FRAME_ERROR, H3_FRAME_UNEXPECTED};
use crate::proto::fault::ConnectionFault;
use crate::proto::varint;

/// Bytes of a message's content.
pub const DATA: u64 = 0x00;
/// A header block, or trailers.
pub const HEADERS: u64 = 0x01;
/// Takes a push back.
pub const CANCEL_PUSH: u64 = 0x03;
/// The first frame of the control stream.
pub const SETTINGS: u64 = 0x04;
/// Announces a push.
pub const PUSH_PROMISE: u64 = 0x05;
/// Asks for no more requests.
pub const GOAWAY: u64 = 0x07;
/// Permits pushes.
pub const MAX_PUSH_ID: u64 = 0x0d;

/// Tells the types that HTTP/2 used; they may not be sent in HTTP/3.
pub const fn is_http2(ty: u64) -> bool {
    matches!(ty, 0x02 | 0x06 | 0x08 | 0x09)
}

/// Tells the types to which RFC 9114 gives a place; all others are skipped wherever they come.
pub const fn is_known(ty: u64) -> bool {
    is_http2(ty)
        || matches!(
            ty,
            DATA | HEADERS | CANCEL_PUSH | SETTINGS | PUSH_PROMISE | GOAWAY | MAX_PUSH_ID
        )
}

/// The type and length that precede a payload.
///
/// Capsules have the same header
/// ([RFC 9297 §3.2](https://www.rfc-editor.org/rfc/rfc9297#section-3.2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the payload is.
    pub ty: u64,
    /// How many bytes the payload has; the peer's claim.
    pub len: u64,
}

impl FrameHeader {
    /// Reads a header; `None` leaves an incomplete one in place.
    ///
    /// `buf` should be contiguous, as [`bytes::Bytes`] and `&[u8]` are: only its first chunk is
    /// looked at.
    pub fn decode(buf: &mut impl Buf) -> Option<Self> {
        let chunk = buf.chunk();
        let mut rest = chunk;
        let ty = varint::get(&mut rest)?;
        let len = varint::get(&mut rest)?;
        let read = chunk.len() - rest.len();
        buf.advance(read);
        Some(Self { ty, len })
    }

    /// Writes the header.
    ///
    /// # Panics
    ///
    /// Panics if a field exceeds [`varint::MAX`].
    pub fn encode(&self, buf: &mut impl BufMut) {
        varint::put(buf, self.ty);
        varint::put(buf, self.len);
    }
}

/// Writes a whole frame.
///
/// # Panics
///
/// Panics if `ty` exceeds [`varint::MAX`].
pub fn put(buf: &mut impl BufMut, ty: u64, payload: &[u8]) {
    let len = payload.len() as u64;
    FrameHeader { ty, len }.encode(buf);
    buf.put_slice(payload);
}

pub(super) const AFTER_TRAILERS: ConnectionFault =
    ConnectionFault::new(H3_FRAME_UNEXPECTED, "frame after trailers");
pub(super) const MISPLACED: ConnectionFault =
    ConnectionFault::new(H3_FRAME_UNEXPECTED, "frame may not be on a request stream");
pub(super) const TRUNCATED: ConnectionFault =
    ConnectionFault::new(H3_FRAME_ERROR, "stream ends inside a frame");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reserved_and_unknown_types_are_told_apart() {
        assert!(is_http2(0x06) && is_known(0x06));
        assert!(!is_http2(GOAWAY) && is_known(GOAWAY));
        assert!(!is_known(0x21) && !is_known(0x0e));
    }

    #[test]
    fn frame_is_type_length_payload() {
        let mut buf = Vec::new();

        put(&mut buf, SETTINGS, b"abc");

        assert_eq!(buf, b"\x04\x03abc");
    }

    proptest! {
        #[test]
        fn headers_come_back(ty in 0..=varint::MAX, len in 0..=varint::MAX, cut in 0..16_usize) {
            let header = FrameHeader { ty, len };
            let mut bytes = Vec::new();
            header.encode(&mut bytes);

            let partial = &bytes[..cut.min(bytes.len() - 1)];
            let mut rest = partial;
            prop_assert_eq!(FrameHeader::decode(&mut rest), None);
            prop_assert_eq!(rest, partial);

            let mut rest = &bytes[..];
            prop_assert_eq!(FrameHeader::decode(&mut rest), Some(header));
            prop_assert!(rest.is_empty());
        }
    }
}

//! Joining what arrives in pieces.

use std::mem;

use bytes::{Bytes, BytesMut};

/// Puts `bytes` behind what is `pending`, copying only if something is.
pub fn append(pending: &mut Bytes, bytes: Bytes) {
    if pending.is_empty() {
        *pending = bytes;
    } else if !bytes.is_empty() {
        let mut joined = BytesMut::from(mem::take(pending));
        joined.extend_from_slice(&bytes);
        *pending = joined.freeze();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_in_order() {
        let mut pending = Bytes::new();

        for piece in ["a", "", "bc", "d"] {
            append(&mut pending, Bytes::from(piece));
        }

        assert_eq!(pending, "abcd");
    }

    #[test]
    fn first_piece_is_not_copied() {
        let piece = Bytes::from(vec![7; 32]);
        let mut pending = Bytes::new();

        append(&mut pending, piece.clone());

        assert_eq!(pending.as_ptr(), piece.as_ptr());
    }
}

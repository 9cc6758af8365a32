//! Integers behind a prefix of fewer than eight bits
//! ([RFC 7541 §5.1](https://www.rfc-editor.org/rfc/rfc7541#section-5.1)).

use bytes::{Buf, BufMut};

use crate::proto::qpack::QpackError;
use crate::proto::varint;

/// Takes an integer off, whose first byte spends its last `prefix` bits on it.
///
/// Nine more bytes hold whatever is allowed; a longer encoding is refused.
pub(super) fn decode(block: &mut &[u8], prefix: u32) -> Result<u64, QpackError> {
    let mask = u8::MAX >> (8 - prefix);
    let start = u64::from(byte(block)? & mask);
    if start < u64::from(mask) {
        return Ok(start);
    }
    let mut value = start;
    for shift in (0..63).step_by(7) {
        let next = byte(block)?;
        value += u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 && value <= varint::MAX {
            return Ok(value);
        }
    }
    Err(QpackError::Malformed)
}

/// Writes `value` behind `flags`, which leave the last `prefix` bits of their byte free.
pub(super) fn encode(out: &mut impl BufMut, flags: u8, prefix: u32, value: usize) {
    let mask = (1 << prefix) - 1;
    let start = value.min(mask);
    // At most 8 bits are left of `value`, by the mask.
    out.put_u8(flags | start as u8);
    if start < mask {
        return;
    }
    let mut rest = value - mask;
    while rest > 0x7f {
        out.put_u8(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn byte(block: &mut &[u8]) -> Result<u8, QpackError> {
    block.try_get_u8().map_err(|_| QpackError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_the_rfc_decode() {
        for (mut block, prefix, value) in [
            (&[0b1110_1010][..], 5, 10),
            (&[0b0001_1111, 0b1001_1010, 0b0000_1010], 5, 1337),
            (&[0b0010_1010], 8, 42),
        ] {
            assert_eq!(decode(&mut block, prefix), Ok(value));
            assert!(block.is_empty());
        }
    }

    #[test]
    fn truncated_and_excessive_integers_are_refused() {
        for mut block in [&[][..], &[0xff], &[0xff, 0x80], &[0xff; 12]] {
            assert_eq!(decode(&mut block, 7), Err(QpackError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn integers_come_back(value in 0..=varint::MAX as usize, prefix in 1..=7_u32) {
            let flags = 0x80 & !((1 << prefix) - 1);
            let mut block = Vec::new();
            encode(&mut block, flags, prefix, value);
            let mut rest = &block[..];

            prop_assert_eq!(block[0] & flags, flags);
            prop_assert_eq!(decode(&mut rest, prefix), Ok(value as u64));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(block: Vec<u8>, prefix in 1..=8_u32) {
            let _ = decode(&mut &block[..], prefix);
        }
    }
}

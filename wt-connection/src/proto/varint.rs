//! QUIC's variable-length integers
//! ([RFC 9000 §16](https://www.rfc-editor.org/rfc/rfc9000#section-16)).

use bytes::{Buf, BufMut};

/// The greatest value that has an encoding.
pub const MAX: u64 = (1 << 62) - 1;

/// Counts the bytes of the shortest encoding of `value`.
pub const fn size(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// Writes the shortest encoding of `value`.
///
/// # Panics
///
/// Panics if `value` exceeds [`MAX`], or if `buf` has no room.
pub fn put(buf: &mut impl BufMut, value: u64) {
    assert!(value <= MAX, "a varint has 62 bits");
    let len = size(value);
    let tag = u64::from(len.trailing_zeros()) << (8 * len - 2);
    buf.put_uint(tag | value, len);
}

/// Reads one integer in any of its encodings; `None` leaves an incomplete one in place.
pub fn get(buf: &mut impl Buf) -> Option<u64> {
    let first = *buf.chunk().first()?;
    let len = 1 << (first >> 6);
    if buf.remaining() < len {
        return None;
    }
    let tagged = buf.get_uint(len);
    Some(tagged & (u64::MAX >> (66 - 8 * len)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut buf = Vec::new();
        put(&mut buf, value);
        buf
    }

    #[test]
    fn examples_of_the_rfc_decode() {
        let examples: [(&[u8], u64); 5] = [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];

        for (mut bytes, value) in examples {
            assert_eq!(get(&mut bytes), Some(value));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn encodings_are_the_shortest_at_each_boundary() {
        for (value, len) in [
            (0, 1),
            (0x3f, 1),
            (0x40, 2),
            (0x3fff, 2),
            (0x4000, 4),
            (0x3fff_ffff, 4),
            (0x4000_0000, 8),
            (MAX, 8),
        ] {
            assert_eq!(encoded(value).len(), len);
            assert_eq!(size(value), len);
        }
    }

    #[test]
    #[should_panic(expected = "62 bits")]
    fn more_than_62_bits_are_refused() {
        put(&mut Vec::new(), MAX + 1);
    }

    #[test]
    fn an_integer_split_over_two_buffers_is_read() {
        let (front, back): (&[u8], &[u8]) = (&[0x9d, 0x7f], &[0x3e, 0x7d]);

        assert_eq!(get(&mut front.chain(back)), Some(494_878_333));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=MAX, tail: Vec<u8>) {
            let mut bytes = encoded(value);
            bytes.extend(&tail);
            let mut rest = &bytes[..];

            prop_assert_eq!(get(&mut rest), Some(value));
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn incomplete_integers_stay_in_place(value in 0..=MAX, cut in 0..8_usize) {
            let bytes = encoded(value);
            let partial = &bytes[..cut.min(bytes.len() - 1)];
            let mut rest = partial;

            prop_assert_eq!(get(&mut rest), None);
            prop_assert_eq!(rest, partial);
        }
    }
}

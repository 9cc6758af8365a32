//! Strings, as they are or in Huffman's code
//! ([RFC 7541 §5.2](https://www.rfc-editor.org/rfc/rfc7541#section-5.2)).

use std::borrow::Cow;

use bytes::BufMut;
use httlib_huffman::DecoderSpeed;

use crate::proto::qpack::{QpackError, integer};

/// Takes a string of at most `max` bytes off; its length has `prefix` bits of the first byte, the
/// bit above says whether it is in Huffman's code.
pub(super) fn decode<'a>(
    block: &mut &'a [u8],
    prefix: u32,
    max: usize,
) -> Result<Cow<'a, [u8]>, QpackError> {
    let huffman = block.first().is_some_and(|first| first >> prefix & 1 == 1);
    let len = integer::decode(block, prefix)?;
    let len = usize::try_from(len).map_err(|_| QpackError::Malformed)?;
    let (string, rest) = block.split_at_checked(len).ok_or(QpackError::Malformed)?;
    *block = rest;
    let string = if huffman {
        Cow::Owned(expand(string, max)?)
    } else {
        Cow::Borrowed(string)
    };
    if string.len() > max {
        return Err(QpackError::TooLarge);
    }
    Ok(string)
}

/// Writes a string as it is.
pub(super) fn encode(out: &mut impl BufMut, flags: u8, prefix: u32, string: &[u8]) {
    integer::encode(out, flags, prefix, string.len());
    out.put_slice(string);
}

fn expand(code: &[u8], max: usize) -> Result<Vec<u8>, QpackError> {
    // No symbol has more than 30 bits, so this much is too large before it is decoded. What is
    // not grows by 8/5 at most, since none has fewer than 5.
    if code.len() / 4 > max {
        return Err(QpackError::TooLarge);
    }
    let mut string = Vec::with_capacity(code.len());
    httlib_huffman::decode(code, &mut string, DecoderSpeed::FourBits)
        .map_err(|_| QpackError::Malformed)?;
    // The decoder lets wrong padding pass. A string has one right code, so that settles it.
    let mut again = Vec::with_capacity(code.len());
    httlib_huffman::encode(&string, &mut again).map_err(|_| QpackError::Malformed)?;
    if again == code {
        Ok(string)
    } else {
        Err(QpackError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(string: &[u8]) -> Vec<u8> {
        let mut code = Vec::new();
        httlib_huffman::encode(string, &mut code).unwrap();
        let mut block = Vec::new();
        encode(&mut block, 0x80, 7, &code);
        block
    }

    fn read(block: &[u8], max: usize) -> Result<Vec<u8>, QpackError> {
        decode(&mut &block[..], 7, max).map(Cow::into_owned)
    }

    #[test]
    fn examples_of_the_rfc_decode() {
        let code = b"\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";

        assert_eq!(read(code, 100).unwrap(), &b"www.example.com"[..]);
        assert_eq!(read(b"\x0acustom-key", 100).unwrap(), &b"custom-key"[..]);
        assert_eq!(read(b"\x80", 100).unwrap(), &b""[..]);
    }

    #[test]
    fn wrong_padding_is_refused() {
        // The letter 'a' is 00011, which leaves three bits.
        assert_eq!(read(&[0x81, 0b0001_1111], 9).unwrap(), &b"a"[..]);
        for padding in 0..0b111 {
            assert_eq!(
                read(&[0x81, 0b0001_1000 | padding], 9),
                Err(QpackError::Malformed)
            );
        }
    }

    #[test]
    fn padding_of_a_byte_or_more_is_refused() {
        for block in [
            &[0x82, 0x1f, 0xff][..],
            &[0x81, 0xff],
            &[0x83, 0x1f, 0xff, 0xff],
        ] {
            assert_eq!(read(block, 9), Err(QpackError::Malformed));
        }
    }

    #[test]
    fn end_of_string_symbol_is_refused() {
        assert_eq!(
            read(&[0x84, 0xff, 0xff, 0xff, 0xff], 9),
            Err(QpackError::Malformed)
        );
    }

    #[test]
    fn strings_over_the_limit_are_refused() {
        assert_eq!(read(b"\x03abc", 2), Err(QpackError::TooLarge));
        assert_eq!(
            read(&compressed(&[b'a'; 16]), 15),
            Err(QpackError::TooLarge)
        );
        assert!(read(&compressed(&[b'a'; 16]), 16).is_ok());
        assert!(read(&compressed(&[0xff; 16]), 16).is_ok());
    }

    #[test]
    fn truncated_strings_are_refused() {
        for block in [&b""[..], b"\x03ab", b"\x7f", b"\x83ab"] {
            assert_eq!(read(block, 100), Err(QpackError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn strings_come_back(string: Vec<u8>, prefix in 3..=7_u32) {
            let mut block = Vec::new();
            encode(&mut block, 0, prefix, &string);

            prop_assert_eq!(decode(&mut &block[..], prefix, string.len()).unwrap(), &string[..]);
            prop_assert_eq!(read(&compressed(&string), string.len()), Ok(string));
        }

        #[test]
        fn any_code_is_expanded_or_refused(code: Vec<u8>) {
            if let Ok(string) = expand(&code, usize::MAX) {
                prop_assert!(string.len() <= code.len() * 8 / 5);
                prop_assert_eq!(read(&compressed(&string), usize::MAX), Ok(string));
            }
        }
    }
}

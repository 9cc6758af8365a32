use std::ops::RangeInclusive;

use super::{FIELD_OVERHEAD, QpackError, integer, static_table};

/// Says whether a header block has a method of the static table's that is not CONNECT, and so is
/// none of a session's, without reading its strings; in doubt, it says no.
///
/// What it says yes to is within `max_size`, as [`decode`](super::decode) counts it; whether its
/// strings are well formed remains to be seen.
pub fn has_other_method(block: &[u8], max_size: usize) -> bool {
    matches!(glance(block, max_size), Ok(true))
}

fn glance(mut block: &[u8], max_size: usize) -> Result<bool, QpackError> {
    let mut found = false;
    let mut room = max_size;
    // A block without a dynamic table begins with two zeros.
    if integer::decode(&mut block, 8)? != 0 || integer::decode(&mut block, 8)? != 0 {
        return Ok(false);
    }
    while let Some(first) = block.first() {
        let size = match first {
            0b1100_0000.. => {
                let index = integer::decode(&mut block, 6)?;
                found |= OTHER_METHODS.contains(&index);
                if index == CONNECT {
                    return Ok(false);
                }
                let (name, value) = static_table::get(index).ok_or(QpackError::Malformed)?;
                name.len() + value.len()
            }
            0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
                let index = integer::decode(&mut block, 4)?;
                let (name, _) = static_table::get(index).ok_or(QpackError::Malformed)?;
                if name == b":method" {
                    return Ok(false);
                }
                name.len() + skip(&mut block, 7)?.1
            }
            0b0010_0000..=0b0011_1111 => {
                let (pseudo, name) = skip(&mut block, 3)?;
                if pseudo {
                    return Ok(false);
                }
                name + skip(&mut block, 7)?.1
            }
            _ => return Ok(false),
        };
        let Some(rest) = room.checked_sub(size + FIELD_OVERHEAD) else {
            return Ok(false);
        };
        room = rest;
    }
    Ok(found)
}

/// Steps over a string; says whether it begins with a colon, and how long it may be at most.
fn skip(block: &mut &[u8], prefix: u32) -> Result<(bool, usize), QpackError> {
    let compressed = block.first().is_some_and(|first| first >> prefix & 1 == 1);
    let len = integer::decode(block, prefix)?;
    let len = usize::try_from(len).map_err(|_| QpackError::Malformed)?;
    let (string, rest) = block.split_at_checked(len).ok_or(QpackError::Malformed)?;
    *block = rest;
    let first = string.first();
    Ok(if compressed {
        let colon = first.is_some_and(|first| first >> 1 == COLON);
        (colon, len.saturating_mul(8) / SHORTEST_CODE)
    } else {
        (first == Some(&b':'), len)
    })
}

// Indices of the static table, and codes of RFC 7541 appendix B.
const CONNECT: u64 = 15;
const OTHER_METHODS: RangeInclusive<u64> = 16..=21;
const COLON: u8 = 0b101_1100;
const SHORTEST_CODE: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::proto::qpack::{decode, encode};

    fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut block = Vec::new();
        encode(fields.iter().copied(), &mut block);
        block
    }

    fn is_connect(block: &[u8]) -> bool {
        let fields = decode(block, usize::MAX).unwrap();
        fields
            .iter()
            .any(|(name, value)| (&**name, &**value) == (b":method", b"CONNECT"))
    }

    #[test]
    fn a_get_is_no_connect() {
        let get = block(&[
            (b":method", b"GET"),
            (b":path", b"/some/path"),
            (b"x-custom", b"value"),
        ]);

        assert!(has_other_method(&get, 1000));
        assert!(!has_other_method(&get, 100));
    }

    #[test]
    fn a_connect_is_never_taken_for_another() {
        for fields in [
            &[(&b":method"[..], &b"CONNECT"[..])][..],
            &[(b":method", b"GET"), (b":method", b"CONNECT")],
            &[(b":path", b"/")],
        ] {
            assert!(!has_other_method(&block(fields), 1000));
        }
        // With its name spelled out, compressed and not, behind an indexed GET.
        for literal in [
            &b"\xd1\x27\x00:method\x07CONNECT"[..],
            &b"\xd1\x2d\xb9\x49\x53\x39\xe4\x07CONNECT"[..],
        ] {
            assert!(!has_other_method(&[b"\0\0", literal].concat(), 1000));
        }
    }

    proptest! {
        #[test]
        fn what_is_no_connect_at_a_glance_is_none(
            fields in vec(
                (
                    prop_oneof![Just(":method".to_owned()), Just(":path".to_owned()), "[a-z-]{1,20}"],
                    prop_oneof![Just("CONNECT".to_owned()), Just("GET".to_owned()), "[a-zA-Z/]{0,20}"],
                ),
                0..6,
            ),
            max_size in 0..400_usize,
        ) {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
                .collect();
            let block = block(&fields);

            if has_other_method(&block, max_size) {
                prop_assert!(!is_connect(&block));
                prop_assert!(decode(&block, max_size).is_ok());
            }
        }

        #[test]
        fn any_block_is_glanced_at(bytes in vec(any::<u8>(), 0..60)) {
            if has_other_method(&[&[0, 0], &bytes[..]].concat(), 1000)
                && let Ok(fields) = decode(&[&[0, 0], &bytes[..]].concat(), usize::MAX)
            {
                prop_assert!(!fields
                    .iter()
                    .any(|(name, value)| &name[..] == b":method" && &value[..] == b"CONNECT"));
            }
        }
    }
}

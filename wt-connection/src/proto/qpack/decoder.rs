use std::borrow::Cow;

use super::{FIELD_OVERHEAD, QpackError, integer, static_table, string};

/// A name and a value, borrowed from the block or the static table where they can be.
pub type Field<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Reads a whole header block, whose fields take at most `max_size` bytes.
///
/// Sizes are counted as
/// [RFC 9114 §4.2.2](https://www.rfc-editor.org/rfc/rfc9114#section-4.2.2) has it, with 32 bytes
/// for each field. What is allocated grows with the bytes of `block`, and no further than
/// `max_size`.
///
/// # Errors
///
/// Fails if the block is malformed, needs a dynamic table, or is over the limit.
pub fn decode(mut block: &[u8], max_size: usize) -> Result<Vec<Field<'_>>, QpackError> {
    prefix(&mut block)?;
    let mut fields = Vec::new();
    let mut room = max_size;
    while !block.is_empty() {
        room = room
            .checked_sub(FIELD_OVERHEAD)
            .ok_or(QpackError::TooLarge)?;
        let (name, value) = field(&mut block, room)?;
        room = room
            .checked_sub(name.len() + value.len())
            .ok_or(QpackError::TooLarge)?;
        fields.push((name, value));
    }
    Ok(fields)
}

fn prefix(block: &mut &[u8]) -> Result<(), QpackError> {
    if integer::decode(block, 8)? != 0 {
        return Err(QpackError::Dynamic);
    }
    let negative = block.first().is_some_and(|first| first & 0b1000_0000 != 0);
    integer::decode(block, 7)?;
    if negative {
        // No base is less than a Required Insert Count of 0.
        return Err(QpackError::Malformed);
    }
    Ok(())
}

fn field<'a>(block: &mut &'a [u8], room: usize) -> Result<Field<'a>, QpackError> {
    let first = *block.first().ok_or(QpackError::Malformed)?;
    match first {
        0b1100_0000.. => {
            let (name, value) = entry(block, 6)?;
            Ok((name.into(), value.into()))
        }
        0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
            let (name, _) = entry(block, 4)?;
            Ok((name.into(), string::decode(block, 7, room)?))
        }
        0b0010_0000..=0b0011_1111 => {
            let name = string::decode(block, 3, room)?;
            Ok((name, string::decode(block, 7, room)?))
        }
        _ => Err(QpackError::Dynamic),
    }
}

fn entry(block: &mut &[u8], prefix: u32) -> Result<(&'static [u8], &'static [u8]), QpackError> {
    static_table::get(integer::decode(block, prefix)?).ok_or(QpackError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::proto::qpack::encode;

    fn encoded(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut block = Vec::new();
        encode(
            fields.iter().map(|(name, value)| (&name[..], &value[..])),
            &mut block,
        );
        block
    }

    fn owned(fields: Vec<Field<'_>>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let own = |(name, value): Field<'_>| (name.into_owned(), value.into_owned());
        fields.into_iter().map(own).collect()
    }

    #[test]
    fn example_of_the_rfc_decodes() {
        let block = b"\0\0\x51\x0b/index.html";

        let fields = decode(block, 1000).unwrap();

        assert_eq!(
            owned(fields),
            [(b":path".to_vec(), b"/index.html".to_vec())]
        );
    }

    #[test]
    fn never_indexed_literals_are_read() {
        let block = b"\0\0\x71\x01/\x32ab\x01c";

        let fields = owned(decode(block, 1000).unwrap());

        assert_eq!(fields[0], (b":path".to_vec(), b"/".to_vec()));
        assert_eq!(fields[1], (b"ab".to_vec(), b"c".to_vec()));
    }

    #[test]
    fn the_dynamic_table_is_never_looked_up() {
        for block in [
            &[1, 0, 0xc0][..],
            &[0, 0, 0b1000_0001],
            &[0, 0, 0b0100_0001, 0],
            &[0, 0, 0b0110_0001, 0],
            &[0, 0, 0b0001_0000],
            &[0, 0, 0b0000_0000, 0],
        ] {
            assert_eq!(decode(block, 1000), Err(QpackError::Dynamic));
        }
    }

    #[test]
    fn malformed_blocks_are_refused() {
        for block in [
            &[][..],
            &[0],
            &[0, 0x80],
            // Index 99 is behind the end of the table.
            &[0, 0, 0xff, 36],
            &[0, 0, 0xff],
            &[0, 0, 0x51],
            &[0, 0, 0x21],
        ] {
            assert_eq!(decode(block, 1000), Err(QpackError::Malformed));
        }
    }

    #[test]
    fn base_may_be_anything_if_nothing_needs_it() {
        assert_eq!(decode(&[0, 0x7f, 5], 1000), Ok(vec![]));
    }

    #[test]
    fn sizes_count_as_for_max_field_section_size() {
        let block = encoded(&[
            (b"ab".to_vec(), b"c".to_vec()),
            (b":path".to_vec(), b"/".to_vec()),
        ]);
        let size = (2 + 1 + 32) + (5 + 1 + 32);

        assert!(decode(&block, size).is_ok());
        assert_eq!(decode(&block, size - 1), Err(QpackError::TooLarge));
    }

    #[test]
    fn indices_cannot_multiply_without_bound() {
        let mut block = vec![0, 0];
        block.resize(1_000_000, 0xc0 | 15);

        assert_eq!(decode(&block, 16_384), Err(QpackError::TooLarge));
    }

    proptest! {
        #[test]
        fn fields_come_back(fields: Vec<(Vec<u8>, Vec<u8>)>) {
            let block = encoded(&fields);

            prop_assert_eq!(owned(decode(&block, usize::MAX).unwrap()), fields);
        }

        #[test]
        fn fields_of_the_table_come_back(indices in vec(0..99_u64, 0..20)) {
            let entry = |index| static_table::get(index).unwrap();
            let fields: Vec<_> = indices
                .into_iter()
                .map(|index| (entry(index).0.to_vec(), entry(index).1.to_vec()))
                .collect();
            let block = encoded(&fields);

            prop_assert!(block.len() <= 2 + 2 * fields.len());
            prop_assert_eq!(owned(decode(&block, usize::MAX).unwrap()), fields);
        }

        #[test]
        fn any_block_is_read_or_refused(tail: Vec<u8>, max_size in 0..500_usize) {
            let mut block = vec![0, 0];
            block.extend(&tail);

            let _ = decode(&tail, max_size);
            if let Ok(fields) = decode(&block, max_size) {
                let size = |(name, value): &Field<'_>| name.len() + value.len() + 32;
                prop_assert!(fields.iter().map(size).sum::<usize>() <= max_size);

                let fields = owned(fields);
                prop_assert_eq!(owned(decode(&encoded(&fields), max_size).unwrap()), fields);
            }
        }
    }
}

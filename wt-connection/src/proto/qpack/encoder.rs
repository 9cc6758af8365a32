use bytes::BufMut;

use super::static_table::{self, Entry};
use super::{integer, string};

/// Writes a header block: indices of the static table where they fit, else literals.
pub fn encode<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>, out: &mut impl BufMut) {
    // Required Insert Count and Base, both 0.
    out.put_slice(&[0, 0]);
    for (name, value) in fields {
        match static_table::find(name, value) {
            Some(Entry::Field(index)) => integer::encode(out, 0b1100_0000, 6, index),
            Some(Entry::Name(index)) => {
                integer::encode(out, 0b0101_0000, 4, index);
                string::encode(out, 0, 7, value);
            }
            None => {
                string::encode(out, 0b0010_0000, 3, name);
                string::encode(out, 0, 7, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut block = Vec::new();
        encode([(name, value)], &mut block);
        block
    }

    #[test]
    fn fields_of_the_table_are_indices() {
        assert_eq!(block(b":method", b"CONNECT"), [0, 0, 0xc0 | 15]);
        assert_eq!(block(b"x-frame-options", b"sameorigin"), [0, 0, 0xff, 35]);
    }

    #[test]
    fn names_of_the_table_are_indices() {
        assert_eq!(block(b":path", b"/index.html"), b"\0\0\x51\x0b/index.html");
    }

    #[test]
    fn other_fields_are_spelled_out() {
        assert_eq!(block(b"ab", b"c"), b"\0\0\x22ab\x01c");
    }
}

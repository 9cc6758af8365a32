use super::{FIELD_OVERHEAD, QpackError, integer, static_table};

/// Says whether a header block is, at a glance, that of a plain request: its pseudo headers are
/// those of a request, come first and once each, and the method is one of the static table's that
/// is not CONNECT. No string is read, and in doubt it says no.
///
/// What it says yes to is within `max_size`, as [`decode`](super::decode) counts it; whether its
/// strings are well formed, and its headers allowed, remains to be seen.
pub fn is_plain_request(block: &[u8], max_size: usize) -> bool {
    let mut pseudo = Pseudo::default();
    let sized = glance(block, max_size, &mut pseudo);
    matches!(sized, Ok(Some(_))) && pseudo.method
}

/// Which pseudo headers have been seen, and whether any more may come.
#[derive(Default)]
struct Pseudo {
    method: bool,
    scheme: bool,
    authority: bool,
    path: bool,
    over: bool,
}

impl Pseudo {
    /// Takes in the name of an entry of the static table; `None` if there is a doubt.
    fn admit(&mut self, name: &[u8]) -> Option<()> {
        let seen = match name {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            [b':', ..] => return None,
            _ => {
                self.over = true;
                return Some(());
            }
        };
        let first = !std::mem::replace(seen, true);
        (first && !self.over).then_some(())
    }
}

/// Gives what is left of `room`; `None` if there is a doubt.
fn glance(
    mut block: &[u8],
    mut room: usize,
    pseudo: &mut Pseudo,
) -> Result<Option<usize>, QpackError> {
    // A block without a dynamic table begins with two zeros.
    if integer::decode(&mut block, 8)? != 0 || integer::decode(&mut block, 8)? != 0 {
        return Ok(None);
    }
    while !block.is_empty() {
        let Some(size) = field(&mut block, pseudo)? else {
            return Ok(None);
        };
        let Some(rest) = room.checked_sub(size + FIELD_OVERHEAD) else {
            return Ok(None);
        };
        room = rest;
    }
    Ok(Some(room))
}

/// Steps over a field, and says how large it may be at most; `None` if there is a doubt.
fn field(block: &mut &[u8], pseudo: &mut Pseudo) -> Result<Option<usize>, QpackError> {
    let first = *block.first().ok_or(QpackError::Malformed)?;
    match first {
        0b1100_0000.. => {
            let (name, value) = entry(block, 6)?;
            let admitted = pseudo.admit(name).filter(|()| value != b"CONNECT");
            Ok(admitted.map(|()| name.len() + value.len()))
        }
        0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
            let (name, _) = entry(block, 4)?;
            let admitted = pseudo.admit(name).filter(|()| name != b":method");
            let (_, value) = skip(block, 7)?;
            Ok(admitted.map(|()| name.len().saturating_add(value)))
        }
        0b0010_0000..=0b0011_1111 => {
            let (colon, name) = skip(block, 3)?;
            let (_, value) = skip(block, 7)?;
            pseudo.over = true;
            Ok((!colon).then(|| name.saturating_add(value)))
        }
        _ => Ok(None),
    }
}

fn entry(block: &mut &[u8], prefix: u32) -> Result<(&'static [u8], &'static [u8]), QpackError> {
    static_table::get(integer::decode(block, prefix)?).ok_or(QpackError::Malformed)
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

// Codes of RFC 7541, appendix B.
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

        assert!(is_plain_request(&get, 1000));
        assert!(!is_plain_request(&get, 100));
    }

    #[test]
    fn a_request_in_doubt_is_not_called_plain() {
        for fields in [
            &[(&b":method"[..], &b"CONNECT"[..])][..],
            &[(b":method", b"GET"), (b":method", b"CONNECT")],
            &[(b":method", b"GET"), (b":method", b"GET")],
            &[(b":method", b"PURGE")],
            &[(b":path", b"/")],
            &[(b":method", b"GET"), (b":path", b"/"), (b":path", b"/")],
            &[(b"accept", b"*/*"), (b":method", b"GET")],
            &[(b"x-custom", b"x"), (b":method", b"GET")],
            &[(b":method", b"GET"), (b":status", b"200")],
            &[(b":method", b"GET"), (b":protocol", b"websocket")],
        ] {
            assert!(!is_plain_request(&block(fields), 1000), "{fields:?}");
        }
        // With its name spelled out, compressed and not, behind an indexed GET.
        for literal in [
            &b"\xd1\x27\x00:method\x07CONNECT"[..],
            &b"\xd1\x2d\xb9\x49\x53\x39\xe4\x07CONNECT"[..],
        ] {
            assert!(!is_plain_request(&[b"\0\0", literal].concat(), 1000));
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_at_a_glance_is_so_when_it_is_read(
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

            if is_plain_request(&block, max_size) {
                prop_assert!(!is_connect(&block));
                prop_assert!(decode(&block, max_size).is_ok());
            }
        }

        #[test]
        fn any_block_is_glanced_at(bytes in vec(any::<u8>(), 0..60)) {
            if is_plain_request(&[&[0, 0], &bytes[..]].concat(), 1000)
                && let Ok(fields) = decode(&[&[0, 0], &bytes[..]].concat(), usize::MAX)
            {
                prop_assert!(!fields
                    .iter()
                    .any(|(name, value)| &name[..] == b":method" && &value[..] == b"CONNECT"));
            }
        }
    }
}

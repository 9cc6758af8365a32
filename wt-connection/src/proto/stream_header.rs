//! What an incoming stream is, by its first bytes.

use bytes::{Buf, BufMut};

use crate::proto::code::H3_ID_ERROR;
use crate::proto::fault::ConnectionFault;
use crate::proto::{draft, varint};

/// The uses of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream of the WebTransport session with this id.
    Session(u64),
    /// The peer's control stream.
    Control,
    /// A pushed response.
    Push,
    /// Changes to the peer's QPACK table.
    QpackEncoder,
    /// Acknowledgements of ours.
    QpackDecoder,
    /// A unidirectional stream of a type not known here.
    Unknown(u64),
    /// A request.
    Request,
}

/// Takes the header off a unidirectional stream; `None` leaves an incomplete one in place.
///
/// `buf` should be contiguous: only its first chunk is looked at.
///
/// # Errors
///
/// Fails if the session id is not that of a client's bidirectional stream.
pub fn decode_uni(buf: &mut impl Buf) -> Result<Option<Kind>, ConnectionFault> {
    let mut rest = buf.chunk();
    let kind = match varint::get(&mut rest) {
        None => return Ok(None),
        Some(draft::UNI_TYPE) => match session(&mut rest)? {
            None => return Ok(None),
            Some(kind) => kind,
        },
        Some(CONTROL) => Kind::Control,
        Some(PUSH) => Kind::Push,
        Some(QPACK_ENCODER) => Kind::QpackEncoder,
        Some(QPACK_DECODER) => Kind::QpackDecoder,
        Some(other) => Kind::Unknown(other),
    };
    let read = buf.chunk().len() - rest.len();
    buf.advance(read);
    Ok(Some(kind))
}

/// Takes the header off a bidirectional stream; a request keeps all of its bytes.
///
/// `None` leaves an incomplete header in place. `buf` should be contiguous: only its first chunk is
/// looked at.
///
/// # Errors
///
/// Fails if the session id is not that of a client's bidirectional stream.
pub fn decode_bi(buf: &mut impl Buf) -> Result<Option<Kind>, ConnectionFault> {
    let mut rest = buf.chunk();
    match varint::get(&mut rest) {
        None => return Ok(None),
        Some(draft::BI_SIGNAL) => {}
        Some(_) => return Ok(Some(Kind::Request)),
    }
    let Some(kind) = session(&mut rest)? else {
        return Ok(None);
    };
    let read = buf.chunk().len() - rest.len();
    buf.advance(read);
    Ok(Some(kind))
}

/// Begins a unidirectional stream of a session.
///
/// # Panics
///
/// Panics if `session_id` exceeds [`varint::MAX`].
pub fn encode_uni(buf: &mut impl BufMut, session_id: u64) {
    varint::put(buf, draft::UNI_TYPE);
    varint::put(buf, session_id);
}

/// Begins a bidirectional stream of a session.
///
/// # Panics
///
/// Panics if `session_id` exceeds [`varint::MAX`].
pub fn encode_bi(buf: &mut impl BufMut, session_id: u64) {
    varint::put(buf, draft::BI_SIGNAL);
    varint::put(buf, session_id);
}

fn session(rest: &mut &[u8]) -> Result<Option<Kind>, ConnectionFault> {
    match varint::get(rest) {
        None => Ok(None),
        Some(id) if id.is_multiple_of(4) => Ok(Some(Kind::Session(id))),
        Some(_) => Err(ConnectionFault::new(
            H3_ID_ERROR,
            "session id is not a client's bidirectional stream",
        )),
    }
}

const CONTROL: u64 = 0x00;
const PUSH: u64 = 0x01;
const QPACK_ENCODER: u64 = 0x02;
const QPACK_DECODER: u64 = 0x03;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn uni_types_are_told_apart() {
        for (mut bytes, kind) in [
            (&b"\x00"[..], Kind::Control),
            (b"\x01", Kind::Push),
            (b"\x02", Kind::QpackEncoder),
            (b"\x03", Kind::QpackDecoder),
            (b"\x21", Kind::Unknown(0x21)),
            (b"\x40\x54\x08", Kind::Session(8)),
        ] {
            assert_eq!(decode_uni(&mut bytes), Ok(Some(kind)));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn request_keeps_its_bytes() {
        let mut bytes = &b"\x01\x02ab"[..];

        assert_eq!(decode_bi(&mut bytes), Ok(Some(Kind::Request)));
        assert_eq!(bytes, b"\x01\x02ab");
    }

    #[test]
    fn other_streams_are_no_sessions() {
        for id in 1..4 {
            let (mut uni, mut bi) = (Vec::new(), Vec::new());
            encode_uni(&mut uni, id);
            encode_bi(&mut bi, id);

            assert_eq!(decode_uni(&mut &uni[..]).unwrap_err().code, H3_ID_ERROR);
            assert_eq!(decode_bi(&mut &bi[..]).unwrap_err().code, H3_ID_ERROR);
        }
    }

    proptest! {
        #[test]
        fn session_headers_come_back(quarter in 0..=varint::MAX / 4, cut in 0..10_usize) {
            let kind = Kind::Session(quarter * 4);
            let (mut uni, mut bi) = (Vec::new(), Vec::new());
            encode_uni(&mut uni, quarter * 4);
            encode_bi(&mut bi, quarter * 4);

            let cut = cut.min(uni.len() - 1);
            let (mut uni_rest, mut bi_rest) = (&uni[..cut], &bi[..cut]);
            prop_assert_eq!(decode_uni(&mut uni_rest), Ok(None));
            prop_assert_eq!(decode_bi(&mut bi_rest), Ok(None));
            prop_assert_eq!((uni_rest, bi_rest), (&uni[..cut], &bi[..cut]));

            let (mut uni_rest, mut bi_rest) = (&uni[..], &bi[..]);
            prop_assert_eq!(decode_uni(&mut uni_rest), Ok(Some(kind)));
            prop_assert_eq!(decode_bi(&mut bi_rest), Ok(Some(kind)));
            prop_assert!(uni_rest.is_empty() && bi_rest.is_empty());
        }

        #[test]
        fn any_first_bytes_are_sorted(bytes: Vec<u8>) {
            let (mut uni, mut bi) = (&bytes[..], &bytes[..]);

            if !matches!(decode_uni(&mut uni), Ok(Some(_))) {
                prop_assert_eq!(uni, &bytes[..]);
            }
            if !matches!(decode_bi(&mut bi), Ok(Some(Kind::Session(_)))) {
                prop_assert_eq!(bi, &bytes[..]);
            }
        }
    }
}

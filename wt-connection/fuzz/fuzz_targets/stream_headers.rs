//! The first bytes of a stream: the same kind however they are cut, and nothing taken before it is
//! known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wt_connection::proto::fault::ConnectionFault;
use wt_connection::proto::stream_header::{self, Kind};
use wt_connection::proto::varint;

type Decoded = Result<Option<Kind>, ConnectionFault>;

fuzz_target!(|bytes: &[u8]| {
    assert_uni(bytes);
    assert_bi(bytes);
    assert_same_when_cut(bytes, |bytes| stream_header::decode_uni(bytes));
    assert_same_when_cut(bytes, |bytes| stream_header::decode_bi(bytes));
});

fn assert_uni(bytes: &[u8]) {
    let mut rest = bytes;
    let kind = stream_header::decode_uni(&mut rest);
    let mut expected = bytes;
    let ty = varint::get(&mut expected);
    let id = varint::get(&mut expected);
    match (ty, id) {
        (None, _) | (Some(0x54), None) => assert_eq!((kind, rest), (Ok(None), bytes)),
        (Some(0x54), Some(id)) => assert_session(kind, id, rest, bytes),
        (Some(ty), _) => {
            let known = [
                Kind::Control,
                Kind::Push,
                Kind::QpackEncoder,
                Kind::QpackDecoder,
            ];
            let known = usize::try_from(ty).ok().and_then(|ty| known.get(ty));
            assert_eq!(kind, Ok(Some(*known.unwrap_or(&Kind::Unknown(ty)))));
            assert!(rest.len() < bytes.len());
        }
    }
    if let Ok(Some(Kind::Session(id))) = kind {
        let mut again = Vec::new();
        stream_header::encode_uni(&mut again, id);
        assert_eq!(stream_header::decode_uni(&mut &again[..]), kind);
    }
}

fn assert_bi(bytes: &[u8]) {
    let mut rest = bytes;
    let kind = stream_header::decode_bi(&mut rest);
    let mut expected = bytes;
    let signal = varint::get(&mut expected);
    let id = varint::get(&mut expected);
    match (signal, id) {
        (None, _) | (Some(0x41), None) => assert_eq!((kind, rest), (Ok(None), bytes)),
        (Some(0x41), Some(id)) => assert_session(kind, id, rest, bytes),
        (Some(_), _) => assert_eq!((kind, rest), (Ok(Some(Kind::Request)), bytes)),
    }
    if let Ok(Some(Kind::Session(id))) = kind {
        let mut again = Vec::new();
        stream_header::encode_bi(&mut again, id);
        assert_eq!(stream_header::decode_bi(&mut &again[..]), kind);
    }
}

fn assert_session(kind: Decoded, id: u64, rest: &[u8], bytes: &[u8]) {
    if id.is_multiple_of(4) {
        assert_eq!(kind, Ok(Some(Kind::Session(id))));
        assert!(rest.len() + 2 < bytes.len());
    } else {
        assert!(kind.is_err(), "{id} is no session's");
    }
}

/// A header is complete with some number of bytes, and what follows changes nothing.
fn assert_same_when_cut(bytes: &[u8], decode: impl Fn(&mut &[u8]) -> Decoded) {
    let mut whole_rest = bytes;
    let whole = decode(&mut whole_rest);
    let read = bytes.len() - whole_rest.len();
    let mut complete = false;
    for cut in 0..bytes.len().min(20) {
        let mut rest = &bytes[..cut];
        let part = decode(&mut rest);
        if part == Ok(None) {
            assert!(!complete, "a header stays complete");
            assert_eq!(rest, &bytes[..cut], "what is incomplete stays in place");
        } else {
            complete = true;
            assert_eq!(part, whole);
            assert_eq!(cut - rest.len(), read);
        }
    }
}

//! The capsules on a CONNECT stream: the same ones and the same fault however the stream is cut,
//! and no more kept than is documented.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::capsule::{Capsule, CapsuleReader, truncate_reason};
use wt_connection::proto::fault::Fault;
use wt_connection::proto::frame;
use wt_connection_fuzz::{cuts, kept};

type Read = (Vec<Capsule>, Result<(), Fault>);

fuzz_target!(|bytes: &[u8]| {
    assert_read(bytes);
    // Once more as the content of one frame, and of small ones.
    for size in [bytes.len().max(1), 3] {
        let mut framed = Vec::new();
        for content in bytes.chunks(size) {
            frame::put(&mut framed, frame::DATA, content);
        }
        assert_read(&framed);
    }
});

fn assert_read(bytes: &[u8]) {
    let cuts = cuts(bytes);
    let whole = read(&cuts[0]);
    for pieces in &cuts[1..] {
        assert_eq!(read(pieces), whole);
    }
    assert_eq!(read(&written(&whole.0)), (whole.0, Ok(())));
}

fn read(pieces: &[Bytes]) -> Read {
    let mut reader = CapsuleReader::new();
    let mut capsules = Vec::new();
    for piece in pieces {
        reader.push(piece.clone());
        loop {
            match reader.next() {
                Ok(Some(capsule)) => capsules.push(capsule),
                Ok(None) => break,
                Err(fault) => return (capsules, Err(fault)),
            }
        }
    }
    assert!(kept(&reader) <= 4 + 1024 + 2 * 16);
    assert_close_is_last(&capsules);
    (capsules, reader.finish())
}

fn assert_close_is_last(capsules: &[Capsule]) {
    let close = |capsule: &Capsule| matches!(capsule, Capsule::Close { .. });
    let closed = capsules.iter().position(close);
    assert!(closed.is_none_or(|index| index + 1 == capsules.len()));
    if let Some(Capsule::Close { reason, .. }) = capsules.last() {
        assert_eq!(truncate_reason(reason), reason);
    }
}

fn written(capsules: &[Capsule]) -> Vec<Bytes> {
    let mut written = Vec::new();
    for capsule in capsules {
        let mut content = Vec::new();
        capsule.encode(&mut content);
        let mut framed = Vec::new();
        frame::put(&mut framed, frame::DATA, &content);
        written.push(framed.into());
    }
    written
}

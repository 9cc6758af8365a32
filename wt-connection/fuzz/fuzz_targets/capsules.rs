//! The capsules on a CONNECT stream: the same ones and the same fault however the stream is cut,
//! no more kept than is documented, and with flow control the same ones as without and its own.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::capsule::{Capsule, CapsuleReader, truncate_reason};
use wt_connection::proto::fault::Fault;
use wt_connection::proto::{draft, frame, varint};
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
    let without = assert_read_by(CapsuleReader::new, bytes);
    let with = assert_read_by(CapsuleReader::with_flow_control, bytes);
    assert!(!without.0.iter().any(is_flow_control));
    let others: Vec<_> = with
        .0
        .iter()
        .filter(|capsule| !is_flow_control(capsule))
        .cloned()
        .collect();
    match with.1 {
        // What fails with flow control may be nothing without it.
        Err(_) => assert!(without.0.starts_with(&others)),
        Ok(()) => assert_eq!(without, (others, Ok(()))),
    }
}

fn assert_read_by(reader: impl Fn() -> CapsuleReader, bytes: &[u8]) -> Read {
    let cuts = cuts(bytes);
    let whole = read(reader(), &cuts[0]);
    for pieces in &cuts[1..] {
        assert_eq!(read(reader(), pieces), whole);
    }
    let again = read(reader(), &written(&whole.0));
    assert_eq!(again, (whole.0.clone(), Ok(())));
    whole
}

fn read(mut reader: CapsuleReader, pieces: &[Bytes]) -> Read {
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
    assert_limits(&capsules);
    (capsules, reader.finish())
}

fn is_flow_control(capsule: &Capsule) -> bool {
    !matches!(capsule, Capsule::Close { .. } | Capsule::Drain)
}

fn assert_limits(capsules: &[Capsule]) {
    for capsule in capsules {
        match capsule {
            Capsule::MaxData(max) | Capsule::DataBlocked(max) => assert!(*max <= varint::MAX),
            Capsule::MaxStreams { max, .. } | Capsule::StreamsBlocked { max, .. } => {
                assert!(*max <= draft::MOST_STREAMS_12);
            }
            Capsule::Close { .. } | Capsule::Drain => {}
        }
    }
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

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::proto::code::H3_FRAME_ERROR;
use crate::proto::frame;

/// Puts `content` into DATA frames of the given size.
fn framed(content: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in content.chunks(size) {
        frame::put(&mut bytes, frame::DATA, piece);
    }
    bytes
}

fn close(reason: &str) -> Capsule {
    let (code, reason) = (7, reason.to_owned());
    Capsule::Close { code, reason }
}

const FLOW: [u64; 6] = [
    0x190b_4d3d,
    0x190b_4d3f,
    0x190b_4d40,
    0x190b_4d41,
    0x190b_4d43,
    0x190b_4d44,
];

/// One capsule of each type of flow control.
fn flow(max: u64) -> Vec<Capsule> {
    let capsules = FLOW.iter().map(|ty| Capsule::flow(*ty, max).unwrap());
    capsules.collect()
}

fn encoded<'a>(capsules: impl IntoIterator<Item = &'a Capsule>) -> Vec<u8> {
    let mut content = Vec::new();
    for capsule in capsules {
        capsule.encode(&mut content);
    }
    content
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Capsule>, Result<(), Fault>) {
    read_by(CapsuleReader::with_flow_control(), bytes, piece)
}

fn read_by(
    mut reader: CapsuleReader,
    bytes: &[u8],
    piece: usize,
) -> (Vec<Capsule>, Result<(), Fault>) {
    let mut capsules = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(Bytes::copy_from_slice(piece));
        loop {
            match reader.next() {
                Ok(Some(capsule)) => capsules.push(capsule),
                Ok(None) => break,
                Err(fault) => return (capsules, Err(fault)),
            }
        }
        assert!(reader.content.len() < MAX_CLOSE + 16);
    }
    (capsules, reader.finish())
}

fn read_content(content: &[u8]) -> (Vec<Capsule>, Result<(), Fault>) {
    read(&framed(content, usize::MAX), usize::MAX)
}

#[test]
fn several_capsules_of_one_frame_are_read() {
    let capsules = vec![Capsule::Drain, Capsule::Drain, close("bye")];

    let (found, end) = read_content(&encoded(&capsules));

    assert_eq!((found, end), (capsules, Ok(())));
}

#[test]
fn longest_reason_is_read_and_no_longer_one() {
    let (longest, longer) = (close(&"r".repeat(1024)), close(&"r".repeat(1025)));

    assert_eq!(read_content(&encoded([&longest])), (vec![longest], Ok(())));
    assert_eq!(read_content(&encoded([&longer])), (vec![], Err(MALFORMED)));
}

#[test]
fn malformed_close_ends_the_stream() {
    for payload in [&b""[..], b"\0\0\0", b"\0\0\0\0\xff"] {
        let mut content = Vec::new();
        frame::put(&mut content, draft::CLOSE_CAPSULE, payload);

        assert_eq!(read_content(&content), (vec![], Err(MALFORMED)));
    }
}

#[test]
fn nothing_follows_close() {
    let content = encoded([&close("bye"), &Capsule::Drain]);

    assert_eq!(read_content(&content), (vec![close("bye")], Err(MALFORMED)));
}

#[test]
fn trailers_and_empty_data_may_follow_close() {
    let mut bytes = framed(&encoded([&close("bye")]), usize::MAX);
    frame::put(&mut bytes, frame::DATA, b"");
    frame::put(&mut bytes, frame::HEADERS, b"trailers");

    assert_eq!(read(&bytes, usize::MAX), (vec![close("bye")], Ok(())));
}

#[test]
fn drain_has_no_payload() {
    let mut content = Vec::new();
    frame::put(&mut content, draft::DRAIN_CAPSULE, b"to come");

    assert_eq!(read_content(&content), (vec![], Err(MALFORMED)));
}

#[test]
fn capsules_of_http_2_alone_fail_the_stream() {
    for ty in [0x190b_4d3e, 0x190b_4d42] {
        let mut content = Vec::new();
        FrameHeader { ty, len: 2 }.encode(&mut content);

        assert_eq!(read_content(&content), (vec![], Err(MALFORMED)));
    }
}

#[test]
fn capsules_of_flow_control_are_read() {
    let sent = flow(draft::MOST_STREAMS_12);

    let bytes = framed(&encoded(&sent), 1);

    assert_eq!(read(&bytes, 1), (sent, Ok(())));
}

#[test]
fn no_more_than_one_capsule_of_flow_control_is_kept() {
    let mut reader = CapsuleReader::with_flow_control();

    for byte in framed(&encoded(&flow(draft::MOST_STREAMS_12)), 1) {
        reader.push(Bytes::copy_from_slice(&[byte]));
        while reader.next().unwrap().is_some() {}

        assert!(reader.content.len() < 4 + 1 + 8);
    }
}

#[test]
fn without_flow_control_its_capsules_say_nothing() {
    let mut content = encoded(&flow(draft::MOST_STREAMS_12 + 1));
    for ty in FLOW {
        frame::put(&mut content, ty, b"no integer of any kind");
    }
    Capsule::Drain.encode(&mut content);
    let bytes = framed(&content, 7);

    let read = read_by(CapsuleReader::new(), &bytes, 3);

    assert_eq!(read, (vec![Capsule::Drain], Ok(())));
}

#[test]
fn payload_other_than_one_integer_fails_the_stream() {
    let nine = [&[0xc0][..], &[0; 8]].concat();
    for ty in FLOW {
        for payload in [&b""[..], b"\x01\x01", b"\x40", b"\xc0\0\0\0", &nine] {
            let mut content = Vec::new();
            frame::put(&mut content, ty, payload);

            assert_eq!(read_content(&content), (vec![], Err(MALFORMED)));
        }
    }
}

#[test]
fn payload_that_cannot_be_an_integer_is_not_waited_for() {
    for ty in FLOW {
        let mut content = Vec::new();
        FrameHeader { ty, len: 9 }.encode(&mut content);
        let mut reader = CapsuleReader::with_flow_control();

        reader.push(framed(&content, usize::MAX).into());

        assert_eq!(reader.next(), Err(MALFORMED));
    }
}

#[test]
fn integer_may_have_any_of_its_encodings() {
    let mut content = Vec::new();
    frame::put(
        &mut content,
        draft::MAX_DATA_CAPSULE_12,
        &[0xc0, 0, 0, 0, 0, 0, 0, 7],
    );

    assert_eq!(read_content(&content), (vec![Capsule::MaxData(7)], Ok(())));
}

#[test]
fn more_streams_than_there_are_ids_fail_the_stream() {
    let max = draft::MOST_STREAMS_12 + 1;
    for capsule in flow(max) {
        let read = read_content(&encoded([&capsule]));

        match capsule {
            Capsule::MaxData(_) | Capsule::DataBlocked(_) => {
                assert_eq!(read, (vec![capsule], Ok(())));
            }
            _ => assert_eq!(read, (vec![], Err(Fault::Stream(0x045d_4487)))),
        }
    }
}

#[test]
fn truncated_capsule_fails_the_stream_and_truncated_frame_the_connection() {
    let content = encoded([&close("bye")]);
    let bytes = framed(&content, usize::MAX);

    for cut in 1..content.len() {
        assert_eq!(read_content(&content[..cut]), (vec![], Err(MALFORMED)));
    }
    let (_, Err(Fault::Connection(fault))) = read(&bytes[..bytes.len() - 1], usize::MAX) else {
        panic!("a frame may not be cut off");
    };
    assert_eq!(fault.code, H3_FRAME_ERROR);
}

#[test]
fn endless_capsules_are_not_kept() {
    let (ty, len) = (0x1234, varint::MAX);
    let mut content = Vec::new();
    FrameHeader { ty, len }.encode(&mut content);
    content.extend([0; 100_000]);
    let mut reader = CapsuleReader::new();

    reader.push(framed(&content, 10_000).into());

    assert_eq!(reader.next(), Ok(None));
    assert!(reader.content.is_empty());
    assert_eq!(reader.skip, varint::MAX - 100_000);
    assert_eq!(reader.finish(), Err(MALFORMED));
}

proptest! {
    #[test]
    fn capsules_come_back_however_they_are_cut(
        numbers in vec((0..6_usize, 0..=draft::MOST_STREAMS_12), 0..6),
        drains in 0..4_usize,
        unknown: Vec<u8>,
        code: u32,
        reason in "\\PC{0,200}",
        frame_size in 1..400_usize,
        piece in 1..400_usize,
    ) {
        let numbers = numbers.iter().map(|(ty, max)| Capsule::flow(FLOW[*ty], *max).unwrap());
        let mut sent: Vec<_> = numbers.collect();
        sent.extend(vec![Capsule::Drain; drains]);
        sent.push(Capsule::Close { code, reason });
        let mut content = Vec::new();
        frame::put(&mut content, 0x1234, &unknown);
        content.extend(encoded(&sent));

        let (capsules, end) = read(&framed(&content, frame_size), piece);

        prop_assert_eq!((capsules, end), (sent, Ok(())));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, piece in 1..64_usize) {
        prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
    }

    #[test]
    fn any_content_is_read_or_refused(
        ty in select(&[draft::CLOSE_CAPSULE, FLOW[0], FLOW[1], FLOW[5]][..]),
        payload in vec(any::<u8>(), 0..20),
        tail in vec(any::<u8>(), 0..4),
        frame_size in 1..10_usize,
        piece in 1..10_usize,
    ) {
        let mut content = Vec::new();
        frame::put(&mut content, ty, &payload);
        content.extend(tail);
        let bytes = framed(&content, frame_size);

        let (capsules, end) = read(&bytes, piece);

        prop_assert_eq!(&(capsules, end), &read(&bytes, usize::MAX));
    }
}

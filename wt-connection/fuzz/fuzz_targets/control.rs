//! The peer's control stream: the same events and the same fault however it is cut, on both sides,
//! and no more kept than is documented.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::control::{self, ControlEvent, ControlReader, Side};
use wt_connection::proto::fault::ConnectionFault;
use wt_connection_fuzz::{cuts, kept};

type Read = (Vec<ControlEvent>, Option<ConnectionFault>);

fuzz_target!(|bytes: &[u8]| {
    let cuts = cuts(bytes);
    for side in [Side::Client, Side::Server] {
        let whole = read(side, &cuts[0]);
        assert_order(side, &whole.0);
        for pieces in &cuts[1..] {
            assert_eq!(read(side, pieces), whole);
        }
        assert_eq!(read(side, &written(&whole.0)).0, whole.0);
    }
});

fn read(side: Side, pieces: &[Bytes]) -> Read {
    let mut reader = ControlReader::new(side);
    let mut events = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    assert!(kept(&reader) <= 4096 + 16);
    (events, None)
}

/// SETTINGS come first and once; then ids that do not grow.
fn assert_order(side: Side, events: &[ControlEvent]) {
    let mut least = u64::MAX;
    for (index, event) in events.iter().enumerate() {
        match event {
            ControlEvent::Settings(_) => assert_eq!(index, 0),
            ControlEvent::GoAway(id) => {
                assert!(index > 0 && *id <= least);
                assert!(side == Side::Server || id.is_multiple_of(4));
                least = *id;
            }
        }
    }
}

fn written(events: &[ControlEvent]) -> Vec<Bytes> {
    let written = |event: &ControlEvent| match event {
        ControlEvent::Settings(settings) => {
            // Behind the stream's type, which is not the reader's.
            control::opening(settings).split_off(1).freeze()
        }
        ControlEvent::GoAway(id) => control::goaway(*id).freeze(),
    };
    events.iter().map(written).collect()
}

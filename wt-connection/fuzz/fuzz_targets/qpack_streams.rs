//! The peer's two streams of QPACK: the same verdict however they are cut, and the one of a reader
//! that sees all at once.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::code;
use wt_connection::proto::fault::ConnectionFault;
use wt_connection::proto::qpack::{DecoderStream, check_encoder_stream};
use wt_connection_fuzz::cuts;

fuzz_target!(|bytes: &[u8]| {
    for pieces in cuts(bytes) {
        let decoder = read(&pieces).map_err(|fault| fault.code);
        let expected = cancellations(bytes).ok_or(code::QPACK_DECODER_STREAM_ERROR);
        assert_eq!(decoder, expected);
        let encoder = pieces
            .iter()
            .try_for_each(|piece| check_encoder_stream(piece));
        let expected = capacities(bytes).ok_or(code::QPACK_ENCODER_STREAM_ERROR);
        assert_eq!(encoder.map_err(|fault| fault.code), expected);
    }
});

fn read(pieces: &[Bytes]) -> Result<(), ConnectionFault> {
    let mut stream = DecoderStream::default();
    pieces.iter().try_for_each(|piece| stream.push(piece))
}

/// Reads cancellations of streams, the last of which may be cut off.
fn cancellations(mut bytes: &[u8]) -> Option<()> {
    while let Some((first, rest)) = bytes.split_first() {
        if first >> 6 != 0b01 {
            return None;
        }
        let mut behind = 0;
        if first & 0x3f == 0x3f {
            behind = rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
            // An id of 62 bits has 9 bytes behind the first.
            if behind.min(rest.len()) > 9 {
                return None;
            }
        }
        bytes = rest.get(behind..).unwrap_or_default();
    }
    Some(())
}

/// Reads capacities of the table, each of which is 0.
fn capacities(bytes: &[u8]) -> Option<()> {
    bytes.iter().all(|byte| *byte == 0b001_00000).then_some(())
}

use bytes::Bytes;

use crate::proto::chunk;
use crate::proto::fault::ConnectionFault;
use crate::proto::frame::{self, FrameHeader};

/// Takes what DATA frames carry out of a request stream.
///
/// Trailers and frames of unknown types are dropped as they arrive.
#[derive(Debug, Default)]
pub(super) struct DataReader {
    input: Bytes,
    /// How much of the present frame is still to come.
    remaining: u64,
    /// Whether the present frame is DATA.
    data: bool,
    trailers: bool,
}

impl DataReader {
    /// Takes what arrived next.
    pub(super) fn push(&mut self, bytes: Bytes) {
        chunk::append(&mut self.input, bytes);
    }

    /// Gives the next piece of content, never empty; `None` until more arrives.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, ConnectionFault> {
        loop {
            if self.remaining == 0 {
                let Some(header) = FrameHeader::decode(&mut self.input) else {
                    return Ok(None);
                };
                self.enter(header)?;
                continue;
            }
            if self.input.is_empty() {
                return Ok(None);
            }
            let piece = self.take();
            if self.data {
                return Ok(Some(piece));
            }
        }
    }

    /// Checks that the stream may end here.
    pub(super) fn finish(&self) -> Result<(), ConnectionFault> {
        if self.remaining == 0 && self.input.is_empty() {
            Ok(())
        } else {
            Err(frame::TRUNCATED)
        }
    }

    fn enter(&mut self, header: FrameHeader) -> Result<(), ConnectionFault> {
        match header.ty {
            frame::DATA | frame::HEADERS if self.trailers => return Err(frame::AFTER_TRAILERS),
            frame::DATA => {}
            frame::HEADERS => self.trailers = true,
            ty if frame::is_known(ty) => return Err(frame::MISPLACED),
            _ => {}
        }
        self.data = header.ty == frame::DATA;
        self.remaining = header.len;
        Ok(())
    }

    fn take(&mut self) -> Bytes {
        let available = self.input.len();
        let len = usize::try_from(self.remaining).map_or(available, |len| len.min(available));
        self.remaining -= len as u64;
        self.input.split_to(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::proto::varint;

    fn frames(frames: &[(u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (ty, payload) in frames {
            frame::put(&mut bytes, *ty, payload);
        }
        bytes
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Result<(), ConnectionFault>) {
        let mut reader = DataReader::default();
        let mut content = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(Bytes::copy_from_slice(piece));
            loop {
                match reader.next() {
                    Ok(Some(piece)) => content.extend(piece),
                    Ok(None) => break,
                    Err(fault) => return (content, Err(fault)),
                }
            }
            assert!(reader.input.len() < 16);
        }
        (content, reader.finish())
    }

    #[test]
    fn only_content_is_given() {
        let bytes = frames(&[
            (0, b"ab"),
            (0x21, b"grease"),
            (0, b""),
            (0, b"c"),
            (1, b"tr"),
        ]);

        assert_eq!(read(&bytes, usize::MAX), (b"abc".to_vec(), Ok(())));
    }

    #[test]
    fn frames_of_other_streams_are_unexpected() {
        for ty in [0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0d] {
            let (_, end) = read(&frames(&[(ty, b"")]), usize::MAX);

            assert_eq!(end, Err(frame::MISPLACED));
        }
    }

    #[test]
    fn nothing_but_grease_follows_trailers() {
        for (ty, end) in [
            (0x00, Err(frame::AFTER_TRAILERS)),
            (0x01, Err(frame::AFTER_TRAILERS)),
            (0x21, Ok(())),
        ] {
            assert_eq!(read(&frames(&[(1, b"tr"), (ty, b"")]), usize::MAX).1, end);
        }
    }

    #[test]
    fn stream_may_not_end_inside_a_frame() {
        for bytes in [&b"\x00"[..], b"\x00\x01", b"\x21\x02a"] {
            assert_eq!(read(bytes, usize::MAX).1, Err(frame::TRUNCATED));
        }
    }

    #[test]
    fn endless_frames_are_passed_on_as_they_arrive() {
        let mut bytes = Vec::new();
        let (ty, len) = (frame::DATA, varint::MAX);
        FrameHeader { ty, len }.encode(&mut bytes);
        bytes.extend([7; 100]);

        assert_eq!(read(&bytes, 1).0, [7; 100]);
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole(
            list in vec((0..4_u64, vec(any::<u8>(), 0..10)), 0..10),
            piece in 1..10_usize,
        ) {
            // DATA is the commonest, so that content is the rule.
            let ty = |n: u64| if n < 2 { frame::DATA } else { 0x20 + n };
            let list: Vec<_> = list.iter().map(|(n, load)| (ty(*n), &load[..])).collect();
            let bytes = frames(&list);

            let (content, end) = read(&bytes, piece);

            prop_assert_eq!(end, Ok(()));
            let sent = list.iter().filter(|(ty, _)| *ty == frame::DATA);
            prop_assert_eq!(content, sent.flat_map(|(_, load)| load.to_vec()).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, piece in 1..64_usize) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, usize::MAX));
        }
    }
}

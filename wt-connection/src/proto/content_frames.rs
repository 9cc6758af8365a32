//! The frames of a message: its headers, its content and its trailers.

use std::mem;

use bytes::Bytes;

use crate::proto::chunk;
use crate::proto::fault::Fault;
use crate::proto::frame::{self, FrameHeader};

/// Lets DATA and HEADERS pass as they arrive, and nothing else.
///
/// What reads behind it holds each HEADERS frame as a whole, and takes the end of the stream for
/// that of the message: so a block over `max_len` and an end inside a frame are faults here. Frames
/// of unknown types, and DATA without bytes, are left out. Of all that is pushed, an incomplete
/// frame header is kept.
///
/// A request has headers and may have trailers, and nothing follows these; a response may have any
/// number of interim ones before.
#[derive(Debug)]
pub struct ContentFrames {
    pending: Bytes,
    place: Place,
    max_len: usize,
    /// How many more HEADERS there may be, where that is known.
    headers: Option<u8>,
}

/// Where in a frame the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    /// So many bytes of payload are still to pass.
    Pass {
        left: u64,
        content: bool,
    },
    /// So many bytes of payload are still to be left out.
    Skip(u64),
}

/// What passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes, of one frame.
    pub bytes: Bytes,
    /// How many of them are content.
    pub content: usize,
}

impl ContentFrames {
    /// Accepts header blocks of up to `max_len` encoded bytes.
    pub fn of_request(max_len: usize) -> Self {
        Self::new(max_len, Some(2))
    }

    /// Accepts header blocks of up to `max_len` encoded bytes.
    pub fn of_response(max_len: usize) -> Self {
        Self::new(max_len, None)
    }

    fn new(max_len: usize, headers: Option<u8>) -> Self {
        Self {
            pending: Bytes::new(),
            place: Place::Header,
            max_len,
            headers,
        }
    }

    /// Takes what arrived next.
    pub fn push(&mut self, bytes: Bytes) {
        chunk::append(&mut self.pending, bytes);
    }

    /// Gives what passes; `None` until more arrives.
    ///
    /// # Errors
    ///
    /// Fails on a frame that may not come here, and on a header block that is too long.
    pub fn next(&mut self) -> Result<Option<Piece>, Fault> {
        loop {
            match self.place {
                Place::Header => {
                    let mut payload = &self.pending[..];
                    let Some(header) = FrameHeader::decode(&mut payload) else {
                        return Ok(None);
                    };
                    let header_len = self.pending.len() - payload.len();
                    if self.admit(header)? {
                        let bytes = self.take(header_len as u64 + header.len);
                        let payload = bytes.len() - header_len;
                        let (left, content) = (header.len, header.ty == frame::DATA);
                        return Ok(Some(self.pass(bytes, payload, left, content)));
                    }
                    drop(self.pending.split_to(header_len));
                    self.place = Place::Skip(header.len);
                }
                Place::Pass { left, content } => {
                    let bytes = self.take(left);
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                    let payload = bytes.len();
                    return Ok(Some(self.pass(bytes, payload, left, content)));
                }
                Place::Skip(left) => {
                    let skipped = self.take(left);
                    self.place = Place::Skip(left - skipped.len() as u64);
                    self.settle();
                    if self.place != Place::Header {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    ///
    /// Fails inside a frame.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.place == Place::Header && self.pending.is_empty() {
            Ok(())
        } else {
            Err(frame::TRUNCATED.into())
        }
    }

    /// Says whether a frame passes.
    fn admit(&mut self, header: FrameHeader) -> Result<bool, Fault> {
        match header.ty {
            frame::DATA | frame::HEADERS if self.headers == Some(0) => {
                Err(frame::AFTER_TRAILERS.into())
            }
            frame::HEADERS if header.len > self.max_len as u64 => Err(Fault::TooLarge),
            frame::HEADERS => {
                self.headers = self.headers.map(|left| left - 1);
                Ok(true)
            }
            // What reads behind it takes DATA without bytes for the end of the content.
            frame::DATA => Ok(header.len > 0),
            ty if frame::is_known(ty) => Err(frame::MISPLACED.into()),
            _ => Ok(false),
        }
    }

    /// Lets `bytes` pass, the last of which are `payload`, of which there were `left` to come.
    fn pass(&mut self, bytes: Bytes, payload: usize, left: u64, content: bool) -> Piece {
        let left = left - payload as u64;
        self.place = Place::Pass { left, content };
        self.settle();
        Piece {
            bytes,
            content: if content { payload } else { 0 },
        }
    }

    /// Takes up to `len` bytes of what is there.
    fn take(&mut self, len: u64) -> Bytes {
        match usize::try_from(len) {
            Ok(len) if len < self.pending.len() => self.pending.split_to(len),
            _ => mem::take(&mut self.pending),
        }
    }

    /// Goes on to the next frame if this one is over.
    fn settle(&mut self) {
        if matches!(self.place, Place::Pass { left: 0, .. } | Place::Skip(0)) {
            self.place = Place::Header;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MAX_LEN: usize = 64;

    fn frames(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (ty, payload) in frames {
            frame::put(&mut bytes, *ty, payload);
        }
        bytes
    }

    /// All that passes of `bytes`, which arrive in pieces, and whether they may end there.
    fn pass(bytes: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        pass_by(ContentFrames::of_response(MAX_LEN), bytes, piece)
    }

    fn pass_by(mut content: ContentFrames, bytes: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        let mut passed = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            content.push(Bytes::copy_from_slice(piece));
            while let Some(piece) = content.next()? {
                passed.extend_from_slice(&piece.bytes);
            }
        }
        content.finish()?;
        Ok(passed)
    }

    #[test]
    fn content_passes_without_a_copy() {
        let bytes = Bytes::from(frames(&[(frame::DATA, b"content".to_vec())]));
        let mut content = ContentFrames::of_request(MAX_LEN);

        content.push(bytes.clone());

        let Piece {
            bytes: passed,
            content,
        } = content.next().unwrap().unwrap();
        assert_eq!((passed.as_ptr(), passed.len()), (bytes.as_ptr(), 9));
        assert_eq!(content, 7);
    }

    #[test]
    fn a_frame_of_the_control_stream_is_a_fault() {
        for ty in [frame::SETTINGS, frame::GOAWAY, frame::PUSH_PROMISE, 0x02] {
            let bytes = frames(&[(frame::DATA, b"a".to_vec()), (ty, b"b".to_vec())]);

            assert_eq!(pass(&bytes, usize::MAX), Err(frame::MISPLACED.into()));
        }
    }

    #[test]
    fn nothing_that_is_known_follows_a_requests_trailers() {
        let trailers = (frame::HEADERS, b"trailers".to_vec());
        let pass = |last| {
            let head = (frame::HEADERS, b"head".to_vec());
            let data = (frame::DATA, vec![7]);
            let bytes = frames(&[head, data, trailers.clone(), (last, vec![])]);
            pass_by(ContentFrames::of_request(MAX_LEN), &bytes, usize::MAX)
        };

        for last in [frame::DATA, frame::HEADERS] {
            assert_eq!(pass(last), Err(frame::AFTER_TRAILERS.into()), "{last}");
        }
        assert!(pass(0x21).is_ok());
    }

    #[test]
    fn trailers_over_the_limit_are_a_fault_before_they_arrive() {
        let mut bytes = Vec::new();
        let (ty, len) = (frame::HEADERS, MAX_LEN as u64 + 1);
        FrameHeader { ty, len }.encode(&mut bytes);

        assert_eq!(pass(&bytes, usize::MAX), Err(Fault::TooLarge));
    }

    #[test]
    fn an_end_inside_a_frame_is_a_fault() {
        let whole = frames(&[(frame::DATA, vec![7; 100]), (0x21, vec![7; 100])]);

        for cut in (1..whole.len()).filter(|cut| *cut != 103) {
            let passed = pass(&whole[..cut], usize::MAX);
            assert_eq!(passed, Err(frame::TRUNCATED.into()), "{cut}");
        }
    }

    #[test]
    fn an_unknown_frame_is_not_kept() {
        let mut content = ContentFrames::of_request(MAX_LEN);
        let mut bytes = Vec::new();
        let (ty, len) = (0x21, 1 << 60);
        FrameHeader { ty, len }.encode(&mut bytes);
        content.push(bytes.into());

        for _ in 0..100 {
            content.push(Bytes::from(vec![7; 1000]));
            assert_eq!(content.next(), Ok(None));
        }

        assert!(content.pending.is_empty());
    }

    proptest! {
        #[test]
        fn unknown_and_empty_frames_are_left_out_and_all_others_pass(
            content in vec((prop_oneof![Just(0), Just(1), Just(0x21)], vec(any::<u8>(), 0..64)), 0..8),
            piece in 1..80_usize,
        ) {
            let passes = |(ty, payload): &&(u64, Vec<u8>)| match *ty {
                frame::DATA => !payload.is_empty(),
                ty => ty == frame::HEADERS,
            };
            let known: Vec<_> = content.iter().filter(passes).cloned().collect();

            prop_assert_eq!(pass(&frames(&content), piece), Ok(frames(&known)));
        }

        #[test]
        fn whatever_arrives_is_bounded(bytes in vec(any::<u8>(), 0..200), piece in 1..80_usize) {
            if let Ok(passed) = pass(&bytes, piece) {
                prop_assert!(passed.len() <= bytes.len());
            }
        }
    }
}

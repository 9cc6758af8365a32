//! The HEADERS frame with which a request, or its answer, begins.

use bytes::Bytes;

use crate::proto::chunk;
use crate::proto::code::{H3_EXCESSIVE_LOAD, H3_FRAME_UNEXPECTED};
use crate::proto::fault::{ConnectionFault, Fault};
use crate::proto::frame::{self, FrameHeader};

/// Reads the first HEADERS frame of a request stream, and keeps every byte until it is known whose
/// request this is.
///
/// Frames of unknown types before it are stepped over, up to 16 KiB of them. That and `max_len`
/// bound what is kept if [`next`](Self::next) is called after each [`push`](Self::push). It is of
/// no use after a fault, but for [`into_raw`](Self::into_raw).
#[derive(Debug)]
pub struct HeadersReader {
    raw: Bytes,
    /// How much of `raw` has been read.
    read: usize,
    max_len: usize,
    done: bool,
}

impl HeadersReader {
    /// Accepts a header block of up to `max_len` encoded bytes.
    pub fn new(max_len: usize) -> Self {
        Self {
            raw: Bytes::new(),
            read: 0,
            max_len,
            done: false,
        }
    }

    /// Takes what arrived next.
    pub fn push(&mut self, bytes: Bytes) {
        chunk::append(&mut self.raw, bytes);
    }

    /// Gives the header block, once; `None` until more arrives.
    ///
    /// # Errors
    ///
    /// Fails with [`Fault::TooLarge`] if the block exceeds `max_len`, on a stream where too much
    /// comes before it, and for the whole connection if a frame comes that may not.
    pub fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while !self.done {
            let unread = &self.raw[self.read..];
            let mut payload = unread;
            let Some(header) = FrameHeader::decode(&mut payload) else {
                return Ok(None);
            };
            let len = self.admit(header)?;
            if payload.len() < len {
                return Ok(None);
            }
            let start = self.raw.len() - payload.len();
            self.read = start + len;
            if header.ty == frame::HEADERS {
                self.done = true;
                return Ok(Some(self.raw.slice(start..self.read)));
            }
        }
        Ok(None)
    }

    /// Checks that the stream may end here, once [`next`](Self::next) has returned `None`.
    ///
    /// # Errors
    ///
    /// Fails for the whole connection inside a frame
    /// ([RFC 9114 §7.1](https://www.rfc-editor.org/rfc/rfc9114#section-7.1)).
    pub fn finish(&self) -> Result<(), ConnectionFault> {
        if self.read == self.raw.len() {
            Ok(())
        } else {
            Err(frame::TRUNCATED)
        }
    }

    /// Gives everything pushed so far, in order, as if nothing had been read.
    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    /// Gives what follows the HEADERS frame.
    pub fn into_rest(mut self) -> Bytes {
        self.raw.split_off(self.read)
    }

    fn admit(&self, header: FrameHeader) -> Result<usize, Fault> {
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        match header.ty {
            frame::HEADERS if len > self.max_len => Err(Fault::TooLarge),
            frame::HEADERS => Ok(len),
            ty if frame::is_known(ty) => Err(NOT_HEADERS.into()),
            // Empty frames have a header, too: once there is no room, none passes.
            _ if len >= MAX_UNKNOWN.saturating_sub(self.read) => {
                Err(Fault::Stream(H3_EXCESSIVE_LOAD))
            }
            _ => Ok(len),
        }
    }
}

const MAX_UNKNOWN: usize = 16 * 1024;

const NOT_HEADERS: ConnectionFault =
    ConnectionFault::new(H3_FRAME_UNEXPECTED, "request begins without HEADERS");

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::proto::varint;

    const MAX_LEN: usize = 64;

    fn frames(frames: &[(u64, &[u8])]) -> Bytes {
        let mut bytes = Vec::new();
        for (ty, payload) in frames {
            frame::put(&mut bytes, *ty, payload);
        }
        bytes.into()
    }

    fn read(bytes: &Bytes, piece: usize) -> (Result<Option<Bytes>, Fault>, HeadersReader) {
        let mut reader = HeadersReader::new(MAX_LEN);
        let mut pieces = bytes.chunks(piece.max(1));
        let mut block = Ok(None);
        while block == Ok(None) {
            let Some(piece) = pieces.next() else { break };
            reader.push(Bytes::copy_from_slice(piece));
            block = reader.next();
        }
        pieces.for_each(|piece| reader.push(Bytes::copy_from_slice(piece)));
        (block, reader)
    }

    #[test]
    fn an_end_is_a_fault_inside_a_frame() {
        let bytes = frames(&[(0x21, b"grease"), (frame::HEADERS, b"block")]);
        let grease = frames(&[(0x21, b"grease")]).len();

        for end in 0..bytes.len() {
            let (block, reader) = read(&bytes.slice(..end), 1);

            assert_eq!(block, Ok(None));
            let whole = end == 0 || end == grease;
            assert_eq!(reader.finish().is_ok(), whole, "{end}");
        }
    }

    #[test]
    fn block_is_found_behind_unknown_frames() {
        let bytes = frames(&[(0x21, b"grease"), (frame::HEADERS, b"block"), (0, b"data")]);

        let (block, reader) = read(&bytes, usize::MAX);

        assert_eq!(block, Ok(Some(Bytes::from_static(b"block"))));
        assert_eq!(&reader.raw, &bytes);
        assert_eq!(reader.into_rest(), frames(&[(0, b"data")]));
    }

    #[test]
    fn block_is_given_once() {
        let bytes = frames(&[(frame::HEADERS, b"block"), (frame::HEADERS, b"trailers")]);

        let (_, mut reader) = read(&bytes, usize::MAX);

        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn single_piece_is_handed_on_without_a_copy() {
        let bytes = frames(&[(frame::HEADERS, b"block")]);
        let mut reader = HeadersReader::new(MAX_LEN);
        reader.push(bytes.clone());

        assert!(reader.next().is_ok_and(|block| block.is_some()));

        assert_eq!(reader.into_raw().as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn other_known_frames_end_the_connection() {
        for ty in [0x00, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0d] {
            let (block, _) = read(&frames(&[(ty, b"")]), usize::MAX);

            assert_eq!(block, Err(Fault::Connection(NOT_HEADERS)));
        }
    }

    #[test]
    fn long_block_is_refused_before_it_arrives() {
        let mut bytes = Vec::new();
        let (ty, len) = (frame::HEADERS, varint::MAX);
        FrameHeader { ty, len }.encode(&mut bytes);

        let (block, _) = read(&bytes.into(), usize::MAX);

        assert_eq!(block, Err(Fault::TooLarge));
    }

    #[test]
    fn too_many_unknown_frames_are_refused() {
        for payload in [&[0; 1000][..], &[]] {
            let grease = frames(&[(0x21, payload)]);
            let mut reader = HeadersReader::new(MAX_LEN);

            let fault = (0..MAX_UNKNOWN).find_map(|_| {
                reader.push(grease.clone());
                reader.next().err()
            });

            assert_eq!(fault, Some(Fault::Stream(H3_EXCESSIVE_LOAD)));
            assert!(reader.into_raw().len() <= MAX_UNKNOWN + 1003);
        }
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole(
            before in vec((0x20..0x30_u64, vec(any::<u8>(), 0..40)), 0..4),
            block in vec(any::<u8>(), 0..MAX_LEN + 2),
            after: Vec<u8>,
            piece in 1..64_usize,
        ) {
            let mut list: Vec<_> = before.iter().map(|(ty, load)| (*ty, &load[..])).collect();
            list.push((frame::HEADERS, &block));
            let mut bytes = frames(&list).to_vec();
            bytes.extend(&after);
            let bytes = Bytes::from(bytes);

            let (whole, _) = read(&bytes, usize::MAX);
            let (pieces, reader) = read(&bytes, piece);

            prop_assert_eq!(&pieces, &whole);
            prop_assert_eq!(&reader.raw, &bytes);
            if let Ok(found) = whole {
                prop_assert_eq!(found, Some(Bytes::from(block)));
                prop_assert_eq!(reader.into_rest(), after);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, piece in 1..64_usize) {
            let bytes = Bytes::from(bytes);

            let (whole, _) = read(&bytes, usize::MAX);
            let (pieces, reader) = read(&bytes, piece);

            prop_assert_eq!(pieces, whole);
            prop_assert_eq!(reader.into_raw(), bytes);
        }
    }
}

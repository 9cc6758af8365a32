#[cfg(test)]
mod tests;

use bytes::{Buf, Bytes};

use super::data::DataReader;
use super::kind::{Capsule, MAX_REASON};
use crate::proto::code::H3_MESSAGE_ERROR;
use crate::proto::fault::Fault;
use crate::proto::frame::FrameHeader;
use crate::proto::{chunk, draft, varint};

/// Reads the capsules of a CONNECT stream, from behind its HEADERS frame.
///
/// If [`next`](Self::next) is called until it returns `None` after each [`push`](Self::push), at
/// most one capsule is kept, about 1 KiB of CLOSE and 8 bytes of any other, in a slice of what was
/// pushed where that is possible. Capsules and frames of unknown types are dropped as they arrive,
/// and so are those of flow control [while it is off](Self::new). It is of no use after a fault.
#[derive(Debug, Default)]
pub struct CapsuleReader {
    frames: DataReader,
    content: Bytes,
    /// How much of a capsule that nobody reads is still to come.
    skip: u64,
    flow_control: bool,
    closed: bool,
}

impl CapsuleReader {
    /// Waits for the first capsule of a session without flow control, where its capsules say
    /// nothing ([draft 16, §5.1]).
    ///
    /// [draft 16, §5.1]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5.1
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the first capsule of a session with flow control ([draft 16, §5.6]).
    ///
    /// [draft 16, §5.6]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5.6
    pub fn with_flow_control() -> Self {
        Self {
            flow_control: true,
            ..Self::default()
        }
    }

    /// Takes what arrived next.
    pub fn push(&mut self, bytes: Bytes) {
        self.frames.push(bytes);
    }

    /// Gives the next capsule; `None` until more arrives.
    ///
    /// # Errors
    ///
    /// Fails on the stream if a capsule is malformed, follows CLOSE, is one of HTTP/2's alone or
    /// speaks of more than 2^60 streams, and for the whole connection if a frame comes that may
    /// not.
    pub fn next(&mut self) -> Result<Option<Capsule>, Fault> {
        loop {
            if let Some(capsule) = self.read()? {
                return Ok(Some(capsule));
            }
            let Some(content) = self.frames.next()? else {
                return Ok(None);
            };
            chunk::append(&mut self.content, content);
        }
    }

    /// Checks that the stream may end here, once [`next`](Self::next) has returned `None`.
    ///
    /// # Errors
    ///
    /// Fails for the whole connection inside a frame, on the stream inside a capsule.
    pub fn finish(&self) -> Result<(), Fault> {
        self.frames.finish()?;
        if self.skip == 0 && self.content.is_empty() {
            Ok(())
        } else {
            Err(MALFORMED)
        }
    }

    fn read(&mut self) -> Result<Option<Capsule>, Fault> {
        loop {
            self.drop_skipped();
            if self.closed && !self.content.is_empty() {
                return Err(MALFORMED);
            }
            let mut payload = &self.content[..];
            let Some(header) = FrameHeader::decode(&mut payload) else {
                return Ok(None);
            };
            let start = self.content.len() - payload.len();
            if header.ty == draft::CLOSE_CAPSULE {
                return self.read_close(start, header.len);
            }
            if draft::STREAM_CAPSULES.contains(&header.ty) {
                return Err(MALFORMED);
            }
            if self.flow_control && Capsule::flow(header.ty, 0).is_some() {
                return self.read_flow(start, header);
            }
            self.content.advance(start);
            if header.ty == draft::DRAIN_CAPSULE {
                return match header.len {
                    0 => Ok(Some(Capsule::Drain)),
                    _ => Err(MALFORMED),
                };
            }
            self.skip = header.len;
        }
    }

    fn read_close(&mut self, start: usize, len: u64) -> Result<Option<Capsule>, Fault> {
        let Some(len) = usize::try_from(len).ok().filter(|len| *len <= MAX_CLOSE) else {
            return Err(MALFORMED);
        };
        let Some(payload) = self.content.get(start..start + len) else {
            return Ok(None);
        };
        let capsule = Capsule::close(payload).ok_or(MALFORMED)?;
        self.content.advance(start + len);
        self.closed = true;
        Ok(Some(capsule))
    }

    /// Reads a payload that has to be one integer, in any of its encodings, and nothing else
    /// ([RFC 9297 §3.3](https://www.rfc-editor.org/rfc/rfc9297#section-3.3)).
    fn read_flow(&mut self, start: usize, header: FrameHeader) -> Result<Option<Capsule>, Fault> {
        let len = usize::try_from(header.len).ok();
        let Some(len) = len.filter(|len| (1..=MAX_NUMBER).contains(len)) else {
            return Err(MALFORMED);
        };
        let Some(mut payload) = self.content.get(start..start + len) else {
            return Ok(None);
        };
        let number = varint::get(&mut payload).filter(|_| payload.is_empty());
        let number = number.ok_or(MALFORMED)?;
        self.content.advance(start + len);
        match Capsule::flow(header.ty, number) {
            Some(Capsule::MaxStreams { max, .. } | Capsule::StreamsBlocked { max, .. })
                if max > draft::MOST_STREAMS_12 =>
            {
                Err(IMPOSSIBLE)
            }
            capsule => Ok(capsule),
        }
    }

    fn drop_skipped(&mut self) {
        let available = self.content.len();
        let len = usize::try_from(self.skip).map_or(available, |len| len.min(available));
        self.content.advance(len);
        self.skip -= len as u64;
    }
}

const MAX_CLOSE: usize = 4 + MAX_REASON;

/// The longest encoding of an integer.
const MAX_NUMBER: usize = 8;

const MALFORMED: Fault = Fault::Stream(H3_MESSAGE_ERROR);

/// More streams than there are ids. The code is draft 16's; earlier drafts have another, or none.
const IMPOSSIBLE: Fault = Fault::Stream(draft::FLOW_CONTROL_ERROR_14);

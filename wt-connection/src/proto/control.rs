//! The peer's control stream
//! ([RFC 9114 §6.2.1](https://www.rfc-editor.org/rfc/rfc9114#section-6.2.1)).

use bytes::{Buf, BytesMut};

use crate::proto::fault::ConnectionFault;
use crate::proto::frame::{self, FrameHeader};
use crate::proto::settings::{Settings, SettingsError};
use crate::proto::{code, draft, varint};

/// Which side of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We opened the connection.
    Client,
    /// The peer opened the connection.
    Server,
}

/// Begins a control stream: its type, and the settings.
pub fn opening(settings: &Settings) -> BytesMut {
    let mut payload = BytesMut::new();
    settings.encode(&mut payload);
    let mut opening = BytesMut::new();
    varint::put(&mut opening, CONTROL);
    frame::put(&mut opening, frame::SETTINGS, &payload);
    opening
}

/// Asks the peer for no request, or no push, with `id` or a greater one.
pub fn goaway(id: u64) -> BytesMut {
    let mut payload = BytesMut::new();
    varint::put(&mut payload, id);
    let mut goaway = BytesMut::new();
    frame::put(&mut goaway, frame::GOAWAY, &payload);
    goaway
}

/// What the peer says on its control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlEvent {
    /// Its settings; always first, and once.
    Settings(Settings),
    /// It serves nothing with this id or a greater one.
    GoAway(u64),
}

/// Reads the peer's control stream, from behind the stream type.
///
/// Between calls of [`next`](Self::next) that return `None`, it keeps at most one SETTINGS frame,
/// 4 KiB. Frames of unknown types are dropped as they arrive. It is of no use after a fault.
#[derive(Debug)]
pub struct ControlReader {
    side: Side,
    buf: BytesMut,
    /// How much of an unknown frame is still to come; `buf` is empty unless this is zero.
    skip: u64,
    settings_seen: bool,
    goaway: Option<u64>,
    max_push_id: Option<u64>,
}

impl ControlReader {
    /// Reads for the given side.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            buf: BytesMut::new(),
            skip: 0,
            settings_seen: false,
            goaway: None,
            max_push_id: None,
        }
    }

    /// Takes what arrived next.
    pub fn push(&mut self, bytes: &[u8]) {
        let skipped = clamp(self.skip, bytes.len());
        self.skip -= skipped as u64;
        self.buf.extend_from_slice(&bytes[skipped..]);
    }

    /// Gives the next event; `None` until more arrives.
    ///
    /// # Errors
    ///
    /// Fails with what the connection has to be closed for.
    pub fn next(&mut self) -> Result<Option<ControlEvent>, ConnectionFault> {
        loop {
            let mut rest = &self.buf[..];
            let Some(header) = FrameHeader::decode(&mut rest) else {
                return Ok(None);
            };
            let Some(len) = self.admit(header)? else {
                self.buf.advance(self.buf.len() - rest.len());
                self.skip(header.len);
                continue;
            };
            if rest.len() < len {
                return Ok(None);
            }
            self.buf.advance(self.buf.len() - rest.len());
            let payload = self.buf.split_to(len);
            if let Some(event) = self.read(header.ty, &payload)? {
                return Ok(Some(event));
            }
        }
    }

    /// Gives the length of a frame that is to be read, or `None` for one to be skipped.
    fn admit(&self, header: FrameHeader) -> Result<Option<usize>, ConnectionFault> {
        let (limit, too_long) = match header.ty {
            frame::SETTINGS if self.settings_seen => return Err(SECOND_SETTINGS),
            frame::SETTINGS => (MAX_SETTINGS, LONG_SETTINGS),
            _ if !self.settings_seen => return Err(NO_SETTINGS),
            frame::MAX_PUSH_ID if self.side == Side::Client => return Err(MISPLACED),
            frame::GOAWAY | frame::CANCEL_PUSH | frame::MAX_PUSH_ID => (8, BAD_LENGTH),
            ty if frame::is_known(ty) => return Err(MISPLACED),
            _ => return Ok(None),
        };
        match usize::try_from(header.len) {
            Ok(len) if len <= limit => Ok(Some(len)),
            _ => Err(too_long),
        }
    }

    fn skip(&mut self, len: u64) {
        let skipped = clamp(len, self.buf.len());
        self.buf.advance(skipped);
        self.skip = len - skipped as u64;
    }

    fn read(&mut self, ty: u64, payload: &[u8]) -> Result<Option<ControlEvent>, ConnectionFault> {
        if ty == frame::SETTINGS {
            self.settings_seen = true;
            return self.settings(payload).map(Some);
        }
        let id = id(payload)?;
        match ty {
            frame::GOAWAY => self.goaway(id).map(Some),
            frame::MAX_PUSH_ID => self.max_push_id(id).map(|()| None),
            // We neither push nor allow pushes, so there is none to cancel.
            _ => Err(NO_SUCH_PUSH),
        }
    }

    fn settings(&self, payload: &[u8]) -> Result<ControlEvent, ConnectionFault> {
        let settings = Settings::decode(payload)?;
        // By draft 16, of a server's alone.
        let enabled = settings.get(draft::ENABLED_15);
        if self.side == Side::Client && enabled > Some(1) {
            return Err(SettingsError::Invalid(draft::ENABLED_15).into());
        }
        Ok(ControlEvent::Settings(settings))
    }

    fn goaway(&mut self, id: u64) -> Result<ControlEvent, ConnectionFault> {
        if self.side == Side::Client && !id.is_multiple_of(4) {
            return Err(GOAWAY_NO_REQUEST);
        }
        if self.goaway.is_some_and(|former| id > former) {
            return Err(GOAWAY_GREW);
        }
        self.goaway = Some(id);
        Ok(ControlEvent::GoAway(id))
    }

    fn max_push_id(&mut self, id: u64) -> Result<(), ConnectionFault> {
        if self.max_push_id.is_some_and(|former| id < former) {
            return Err(PUSH_ID_SHRANK);
        }
        self.max_push_id = Some(id);
        Ok(())
    }
}

fn id(mut payload: &[u8]) -> Result<u64, ConnectionFault> {
    varint::get(&mut payload)
        .filter(|_| payload.is_empty())
        .ok_or(BAD_LENGTH)
}

fn clamp(len: u64, limit: usize) -> usize {
    usize::try_from(len).map_or(limit, |len| len.min(limit))
}

const MAX_SETTINGS: usize = 4096;

const NO_SETTINGS: ConnectionFault = ConnectionFault::new(
    code::H3_MISSING_SETTINGS,
    "control stream began without SETTINGS",
);
const SECOND_SETTINGS: ConnectionFault =
    ConnectionFault::new(code::H3_FRAME_UNEXPECTED, "SETTINGS came twice");
const LONG_SETTINGS: ConnectionFault =
    ConnectionFault::new(code::H3_EXCESSIVE_LOAD, "SETTINGS frame is too long");
const MISPLACED: ConnectionFault =
    ConnectionFault::new(code::H3_FRAME_UNEXPECTED, "frame may not be on this stream");
const BAD_LENGTH: ConnectionFault =
    ConnectionFault::new(code::H3_FRAME_ERROR, "frame does not hold exactly one id");
const NO_SUCH_PUSH: ConnectionFault =
    ConnectionFault::new(code::H3_ID_ERROR, "CANCEL_PUSH without a push");
const GOAWAY_NO_REQUEST: ConnectionFault =
    ConnectionFault::new(code::H3_ID_ERROR, "GOAWAY does not name a request");
const GOAWAY_GREW: ConnectionFault =
    ConnectionFault::new(code::H3_ID_ERROR, "GOAWAY names a greater id than before");
const PUSH_ID_SHRANK: ConnectionFault = ConnectionFault::new(
    code::H3_ID_ERROR,
    "MAX_PUSH_ID names a smaller id than before",
);

const CONTROL: u64 = 0x00;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: &[u8] = b"\x04\x02\x33\x01";

    fn after_settings(frames: &[(u64, &[u8])]) -> Vec<u8> {
        let mut bytes = SETTINGS.to_vec();
        for (ty, payload) in frames {
            frame::put(&mut bytes, *ty, payload);
        }
        bytes
    }

    /// All events, and the fault that ended them, of pieces of the given size.
    fn read(side: Side, bytes: &[u8], piece: usize) -> (Vec<ControlEvent>, Option<u64>) {
        let mut reader = ControlReader::new(side);
        let mut events = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            loop {
                match reader.next() {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(fault) => return (events, Some(fault.code)),
                }
            }
            assert!(reader.buf.len() < MAX_SETTINGS + 16);
        }
        (events, None)
    }

    fn fault(side: Side, frames: &[(u64, &[u8])]) -> Option<u64> {
        read(side, &after_settings(frames), usize::MAX).1
    }

    #[test]
    fn settings_come_first() {
        let (events, fault) = read(Side::Client, SETTINGS, usize::MAX);

        let settings = Settings::new().with(0x33, 1);
        assert_eq!(
            (events, fault),
            (vec![ControlEvent::Settings(settings)], None)
        );
        for first in [&b"\x07\x01\x00"[..], b"\x21\x00", b"\x00\x00"] {
            let (_, fault) = read(Side::Client, first, usize::MAX);
            assert_eq!(fault, Some(code::H3_MISSING_SETTINGS));
        }
    }

    #[test]
    fn a_server_enables_webtransport_or_not() {
        // 0x2c7cf000 = 2, and 1
        let more = b"\x04\x05\xac\x7c\xf0\x00\x02";
        let one = b"\x04\x05\xac\x7c\xf0\x00\x01";

        let (_, fault) = read(Side::Client, more, usize::MAX);
        assert_eq!(fault, Some(code::H3_SETTINGS_ERROR));
        for (side, frame) in [(Side::Server, more), (Side::Client, one)] {
            assert_eq!(read(side, frame, usize::MAX).1, None);
        }
    }

    #[test]
    fn frames_of_other_streams_are_unexpected() {
        for ty in [0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09] {
            for side in [Side::Client, Side::Server] {
                assert_eq!(fault(side, &[(ty, b"")]), Some(code::H3_FRAME_UNEXPECTED));
            }
        }
    }

    #[test]
    fn goaway_may_shrink_but_not_grow() {
        let shrinking = after_settings(&[(frame::GOAWAY, b"\x08"), (frame::GOAWAY, b"\x04")]);

        let (events, None) = read(Side::Client, &shrinking, usize::MAX) else {
            panic!("a shrinking id is no fault");
        };
        assert_eq!(
            events[1..],
            [ControlEvent::GoAway(8), ControlEvent::GoAway(4)]
        );
        assert_eq!(
            fault(
                Side::Client,
                &[(frame::GOAWAY, b"\x04"), (frame::GOAWAY, b"\x08")]
            ),
            Some(code::H3_ID_ERROR)
        );
    }

    #[test]
    fn goaway_to_a_client_names_a_request() {
        assert_eq!(
            fault(Side::Client, &[(frame::GOAWAY, b"\x05")]),
            Some(code::H3_ID_ERROR)
        );
        assert_eq!(fault(Side::Server, &[(frame::GOAWAY, b"\x05")]), None);
    }

    #[test]
    fn only_clients_allow_pushes_and_take_none_back() {
        let growing: &[(u64, &[u8])] =
            &[(frame::MAX_PUSH_ID, b"\x01"), (frame::MAX_PUSH_ID, b"\x02")];
        let shrinking: &[(u64, &[u8])] =
            &[(frame::MAX_PUSH_ID, b"\x02"), (frame::MAX_PUSH_ID, b"\x01")];

        assert_eq!(fault(Side::Server, growing), None);
        assert_eq!(fault(Side::Server, shrinking), Some(code::H3_ID_ERROR));
        assert_eq!(
            fault(Side::Client, growing),
            Some(code::H3_FRAME_UNEXPECTED)
        );
    }

    #[test]
    fn no_push_can_be_cancelled() {
        for side in [Side::Client, Side::Server] {
            assert_eq!(
                fault(side, &[(frame::CANCEL_PUSH, b"\x00")]),
                Some(code::H3_ID_ERROR)
            );
        }
    }

    #[test]
    fn ids_fill_their_frame_exactly() {
        for payload in [&b""[..], b"\x00\x00", b"\x40", &[0; 9]] {
            assert_eq!(
                fault(Side::Client, &[(frame::GOAWAY, payload)]),
                Some(code::H3_FRAME_ERROR)
            );
        }
    }

    #[test]
    fn long_settings_are_refused_before_they_arrive() {
        let mut bytes = Vec::new();
        let (ty, len) = (frame::SETTINGS, MAX_SETTINGS as u64 + 1);
        FrameHeader { ty, len }.encode(&mut bytes);

        let (_, fault) = read(Side::Server, &bytes, usize::MAX);

        assert_eq!(fault, Some(code::H3_EXCESSIVE_LOAD));
    }

    #[test]
    fn unknown_frames_of_any_length_are_not_kept() {
        let (ty, len) = (0x21, varint::MAX);
        let mut reader = ControlReader::new(Side::Client);
        let mut bytes = SETTINGS.to_vec();
        FrameHeader { ty, len }.encode(&mut bytes);
        reader.push(&bytes);
        assert!(reader.next().is_ok_and(|event| event.is_some()));

        for _ in 0..1000 {
            assert_eq!(reader.next(), Ok(None));
            reader.push(&[0; 1000]);
        }

        assert!(reader.buf.is_empty());
        assert_eq!(reader.skip, varint::MAX - 1_000_000);
    }

    proptest! {
        #[test]
        fn pieces_read_as_the_whole(
            frames in vec((0..16_u64, vec(0..4_u8, 0..3)), 0..8),
            client: bool,
            piece in 1..8_usize,
        ) {
            let frames: Vec<_> = frames.iter().map(|(ty, payload)| (*ty, &payload[..])).collect();
            let bytes = after_settings(&frames);
            let side = if client { Side::Client } else { Side::Server };

            prop_assert_eq!(read(side, &bytes, piece), read(side, &bytes, usize::MAX));
        }

        #[test]
        fn any_bytes_are_read_or_refused(tail: Vec<u8>, piece in 1..64_usize) {
            let mut bytes = SETTINGS.to_vec();
            bytes.extend(&tail);

            read(Side::Server, &bytes, piece);
            read(Side::Client, &tail, piece);
        }
    }
}

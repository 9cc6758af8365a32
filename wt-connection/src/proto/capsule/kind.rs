use bytes::BufMut;

use crate::proto::direction::Direction;
use crate::proto::frame::{self, FrameHeader};
use crate::proto::{draft, varint};

/// The capsules of WebTransport that are understood here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capsule {
    /// The session is over.
    Close {
        /// The application's code.
        code: u32,
        /// Why, in at most [1024 bytes](truncate_reason).
        reason: String,
    },
    /// The sender would like the session to end soon.
    Drain,
    /// So many bytes may be sent on the streams of the session, all in all; their headers do not
    /// count.
    MaxData(u64),
    /// So many streams of this kind may be opened in the session, closed ones included; at most
    /// [`MOST_STREAMS_12`](draft::MOST_STREAMS_12).
    MaxStreams {
        /// Which streams.
        direction: Direction,
        /// How many of them, all in all.
        max: u64,
    },
    /// The sender would send more than so many bytes, which are its limit.
    DataBlocked(u64),
    /// The sender would open more streams than its limit.
    StreamsBlocked {
        /// Which streams.
        direction: Direction,
        /// The limit; at most [`MOST_STREAMS_12`](draft::MOST_STREAMS_12).
        max: u64,
    },
}

impl Capsule {
    /// Reads the payload of a CLOSE capsule; `None` if it is malformed.
    pub(super) fn close(payload: &[u8]) -> Option<Self> {
        let (code, reason) = payload.split_first_chunk()?;
        let code = u32::from_be_bytes(*code);
        let reason = str::from_utf8(reason).ok()?.to_owned();
        Some(Self::Close { code, reason })
    }

    /// Makes one of flow control's out of its number; `None` for a type that is none of those.
    pub(super) fn flow(ty: u64, max: u64) -> Option<Self> {
        let (bi, uni) = (Direction::Bi, Direction::Uni);
        Some(match ty {
            draft::MAX_DATA_CAPSULE_12 => Self::MaxData(max),
            draft::MAX_STREAMS_BIDI_CAPSULE_12 => Self::MaxStreams { direction: bi, max },
            draft::MAX_STREAMS_UNI_CAPSULE_12 => Self::MaxStreams {
                direction: uni,
                max,
            },
            draft::DATA_BLOCKED_CAPSULE_12 => Self::DataBlocked(max),
            draft::STREAMS_BLOCKED_BIDI_CAPSULE_12 => Self::StreamsBlocked { direction: bi, max },
            draft::STREAMS_BLOCKED_UNI_CAPSULE_12 => Self::StreamsBlocked {
                direction: uni,
                max,
            },
            _ => return None,
        })
    }

    /// Writes the capsule; a DATA frame has yet to carry it.
    ///
    /// A reason of more than 1024 bytes, or a limit of more than 2^60 streams, is written as it is,
    /// and peers refuse it.
    ///
    /// # Panics
    ///
    /// Panics if a limit exceeds [`varint::MAX`].
    pub fn encode(&self, buf: &mut impl BufMut) {
        match self {
            Self::Close { code, reason } => {
                let mut payload = Vec::with_capacity(4 + reason.len());
                payload.put_u32(*code);
                payload.put_slice(reason.as_bytes());
                frame::put(buf, draft::CLOSE_CAPSULE, &payload);
            }
            Self::Drain => frame::put(buf, draft::DRAIN_CAPSULE, &[]),
            Self::MaxData(max) => put_number(buf, draft::MAX_DATA_CAPSULE_12, *max),
            Self::MaxStreams { direction, max } => {
                let ty = match direction {
                    Direction::Bi => draft::MAX_STREAMS_BIDI_CAPSULE_12,
                    Direction::Uni => draft::MAX_STREAMS_UNI_CAPSULE_12,
                };
                put_number(buf, ty, *max);
            }
            Self::DataBlocked(max) => put_number(buf, draft::DATA_BLOCKED_CAPSULE_12, *max),
            Self::StreamsBlocked { direction, max } => {
                let ty = match direction {
                    Direction::Bi => draft::STREAMS_BLOCKED_BIDI_CAPSULE_12,
                    Direction::Uni => draft::STREAMS_BLOCKED_UNI_CAPSULE_12,
                };
                put_number(buf, ty, *max);
            }
        }
    }
}

/// Cuts a reason to what a CLOSE capsule may carry, between two characters.
pub fn truncate_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

fn put_number(buf: &mut impl BufMut, ty: u64, number: u64) {
    let len = varint::size(number) as u64;
    FrameHeader { ty, len }.encode(buf);
    varint::put(buf, number);
}

pub(super) const MAX_REASON: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn capsules_have_their_bytes() {
        let mut buf = Vec::new();
        let (code, reason) = (0x0102, "hi".to_owned());

        Capsule::Close { code, reason }.encode(&mut buf);
        Capsule::Drain.encode(&mut buf);

        assert_eq!(buf, b"\x68\x43\x06\x00\x00\x01\x02hi\x80\x00\x78\xae\x00");
    }

    #[test]
    fn capsules_of_flow_control_have_their_bytes() {
        let streams = |direction| Capsule::MaxStreams { direction, max: 64 };
        let blocked = |direction| Capsule::StreamsBlocked { direction, max: 1 };

        for (capsule, bytes) in [
            (
                Capsule::MaxData(16_384),
                &b"\x99\x0b\x4d\x3d\x04\x80\x00\x40\x00"[..],
            ),
            (streams(Direction::Bi), b"\x99\x0b\x4d\x3f\x02\x40\x40"),
            (streams(Direction::Uni), b"\x99\x0b\x4d\x40\x02\x40\x40"),
            (Capsule::DataBlocked(0), b"\x99\x0b\x4d\x41\x01\x00"),
            (blocked(Direction::Bi), b"\x99\x0b\x4d\x43\x01\x01"),
            (blocked(Direction::Uni), b"\x99\x0b\x4d\x44\x01\x01"),
        ] {
            let mut buf = Vec::new();
            capsule.encode(&mut buf);

            assert_eq!(buf, bytes);
        }
    }

    #[test]
    fn short_reasons_stay_whole() {
        let longest = "r".repeat(1024);

        assert_eq!(truncate_reason(""), "");
        assert_eq!(truncate_reason(&longest), longest);
    }

    #[test]
    fn characters_are_not_cut() {
        let reason = format!("{}ü", "r".repeat(1023));

        assert_eq!(truncate_reason(&reason), "r".repeat(1023));
    }

    proptest! {
        #[test]
        fn reasons_are_cut_by_less_than_a_character(reason in "\\PC{0,600}") {
            let cut = truncate_reason(&reason);

            prop_assert!(reason.starts_with(cut));
            prop_assert!(cut.len() <= MAX_REASON);
            prop_assert!(cut == reason || cut.len() > MAX_REASON - 4);
        }
    }
}

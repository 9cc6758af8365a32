//! Every setting, token and stream type that depends on a draft's generation, in one table; error
//! codes are in [`code`](super::code).
//!
//! The suffix of a name is the first draft of
//! [draft-ietf-webtrans-http3](https://datatracker.ietf.org/doc/draft-ietf-webtrans-http3/) that
//! has it. What carries no suffix is the same in all generations, or comes from an RFC.
//!
//! | drafts | a peer enables WebTransport by | `:protocol` |
//! | --- | --- | --- |
//! | 02 to 05 | [`ENABLE_WEBTRANSPORT_02`] = 1 | [`TOKEN`] |
//! | 06 | [`ENABLE_06`] = 1 | [`TOKEN`] |
//! | 07 to 12 | [`MAX_SESSIONS_07`] > 0 | [`TOKEN`] |
//! | 13, 14 | [`MAX_SESSIONS_13`] > 0 | [`TOKEN`] |
//! | 15, 16 | [`ENABLED_15`] = 1 | [`TOKEN_15`] |
#![cfg_attr(
    not(fuzzing),
    expect(dead_code, reason = "a table is whole, used or not")
)]

/// How large a dynamic QPACK table the sender keeps ([RFC 9204 §5]).
///
/// [RFC 9204 §5]: https://www.rfc-editor.org/rfc/rfc9204#section-5
pub const QPACK_MAX_TABLE_CAPACITY: u64 = 0x01;
/// How large a decoded header block the sender accepts.
pub const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
/// How many streams may wait for the dynamic QPACK table.
pub const QPACK_BLOCKED_STREAMS: u64 = 0x07;
/// The server accepts extended CONNECT (RFC 9220); implied by drafts up to 05.
pub const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
/// The sender understands HTTP datagrams (RFC 9297).
pub const H3_DATAGRAM: u64 = 0x33;
/// [`H3_DATAGRAM`] as its draft 04 had it; browsers still send it.
pub const H3_DATAGRAM_04: u64 = 0xff_d277;

/// The sender speaks WebTransport.
pub const ENABLE_WEBTRANSPORT_02: u64 = 0x2b60_3742;
/// How many sessions the sender accepts; never in a draft, but sent beside the former.
pub const MAX_SESSIONS_02: u64 = 0x2b60_3743;
/// The sender speaks WebTransport.
pub const ENABLE_06: u64 = 0x3c48_d522;
/// How many sessions the sender accepts.
pub const MAX_SESSIONS_07: u64 = 0xc671_706a;
/// How many sessions the sender accepts; more than one asks for flow control.
pub const MAX_SESSIONS_13: u64 = 0x14e9_cd29;
/// The sender speaks WebTransport.
pub const ENABLED_15: u64 = 0x2c7c_f000;

/// How many bytes a session may send at first; any of these three switches flow control on.
pub const INITIAL_MAX_DATA_12: u64 = 0x2b61;
/// How many unidirectional streams a session may open at first.
pub const INITIAL_MAX_STREAMS_UNI_12: u64 = 0x2b64;
/// How many bidirectional streams a session may open at first.
pub const INITIAL_MAX_STREAMS_BIDI_12: u64 = 0x2b65;

/// What a bidirectional stream of a session begins with.
pub const BI_SIGNAL: u64 = 0x41;
/// The type of a unidirectional stream of a session.
pub const UNI_TYPE: u64 = 0x54;

/// The `:protocol` of drafts up to 14.
pub const TOKEN: &str = "webtransport";
/// The `:protocol` since draft 15.
pub const TOKEN_15: &str = "webtransport-h3";

/// The capsule that closes a session with a code and a reason.
pub const CLOSE_CAPSULE: u64 = 0x2843;
/// The capsule that asks to end a session soon; since draft 06.
pub const DRAIN_CAPSULE: u64 = 0x78ae;
/// The capsule that raises how many bytes a session may send on its streams.
pub const MAX_DATA_CAPSULE_12: u64 = 0x190b_4d3d;
/// The capsule that raises how many bidirectional streams a session may open.
pub const MAX_STREAMS_BIDI_CAPSULE_12: u64 = 0x190b_4d3f;
/// The capsule that raises how many unidirectional streams a session may open.
pub const MAX_STREAMS_UNI_CAPSULE_12: u64 = 0x190b_4d40;
/// The capsule that tells that the sender would send more bytes than it may.
pub const DATA_BLOCKED_CAPSULE_12: u64 = 0x190b_4d41;
/// The capsule that tells that the sender would open more bidirectional streams than it may.
pub const STREAMS_BLOCKED_BIDI_CAPSULE_12: u64 = 0x190b_4d43;
/// The capsule that tells that the sender would open more unidirectional streams than it may.
pub const STREAMS_BLOCKED_UNI_CAPSULE_12: u64 = 0x190b_4d44;
/// How many streams of one kind a session can be allowed at most: there are no more ids.
pub const MOST_STREAMS_12: u64 = 1 << 60;
/// The capsules that speak of one stream, which only WebTransport over HTTP/2 has; since draft 12
/// they are an error.
pub const STREAM_CAPSULES: [u64; 2] = [0x190b_4d3e, 0x190b_4d42];

//! Every constant of WebTransport's in one table, most of which depend on a draft's generation; the
//! RFCs' error codes are in [`code`](super::code).
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

use http::HeaderName;

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

/// A stream came before its session, and there was no room to keep it.
pub const BUFFERED_STREAM_REJECTED: u64 = 0x3994_bd84;
/// The session of the stream is over.
pub const SESSION_GONE_03: u64 = 0x170d_7b68;
/// A limit of the session's flow control was exceeded, lowered or impossible.
pub const FLOW_CONTROL_ERROR_14: u64 = 0x045d_4487;
/// Client and server could not agree on a subprotocol.
pub const ALPN_ERROR_15: u64 = 0x0817_b3dd;
/// The server does not announce all that WebTransport needs, and the client wants nothing else.
pub const REQUIREMENTS_NOT_MET_15: u64 = 0x212c_0d48;
/// What an application's error code 0 is on the wire, from where on they are counted.
pub const FIRST_APPLICATION_CODE: u64 = 0x52e4_a40f_a8db;

/// The header of a request that names the draft's version; drafts up to 05.
pub const VERSION_02: HeaderName = HeaderName::from_static("sec-webtransport-http3-draft02");
/// The header of the answer to one.
pub const VERSION_ANSWER_02: HeaderName = HeaderName::from_static("sec-webtransport-http3-draft");
/// The header of a request that offers subprotocols, the preferred one first: Tokens at first, and
/// Strings since draft 13.
pub const OFFER_10: HeaderName = HeaderName::from_static("wt-available-protocols");
/// The header of an answer that chooses one of them.
pub const CHOICE_10: HeaderName = HeaderName::from_static("wt-protocol");

/// The label of TLS's exporter for a session's keys.
pub const EXPORTER_10: &[u8] = b"EXPORTER-WebTransport";

//! Error codes of the RFCs, and how an application's `u32` travels among them; those of
//! WebTransport are in [`draft`](super::draft).
#![cfg_attr(
    not(fuzzing),
    expect(dead_code, reason = "a table is whole, used or not")
)]

use crate::proto::draft::FIRST_APPLICATION_CODE;

/// Nothing is wrong; the connection or stream is simply over.
pub const H3_NO_ERROR: u64 = 0x100;
/// The peer broke the protocol in a way that no other code names.
pub const H3_GENERAL_PROTOCOL_ERROR: u64 = 0x101;
/// This endpoint failed.
pub const H3_INTERNAL_ERROR: u64 = 0x102;
/// The peer opened a stream that is not accepted.
pub const H3_STREAM_CREATION_ERROR: u64 = 0x103;
/// A stream that must stay open was closed.
pub const H3_CLOSED_CRITICAL_STREAM: u64 = 0x104;
/// A frame came where it may not, or in the wrong state.
pub const H3_FRAME_UNEXPECTED: u64 = 0x105;
/// A frame has a bad layout or size.
pub const H3_FRAME_ERROR: u64 = 0x106;
/// The peer asks for more than can be given.
pub const H3_EXCESSIVE_LOAD: u64 = 0x107;
/// A stream or push id is used wrongly.
pub const H3_ID_ERROR: u64 = 0x108;
/// The SETTINGS frame holds an error.
pub const H3_SETTINGS_ERROR: u64 = 0x109;
/// The control stream began without SETTINGS.
pub const H3_MISSING_SETTINGS: u64 = 0x10a;
/// A request was refused before anything was done for it.
pub const H3_REQUEST_REJECTED: u64 = 0x10b;
/// A request, or its response, is no longer wanted.
pub const H3_REQUEST_CANCELLED: u64 = 0x10c;
/// A request stream ended before the request was complete.
pub const H3_REQUEST_INCOMPLETE: u64 = 0x10d;
/// A message is malformed.
pub const H3_MESSAGE_ERROR: u64 = 0x10e;
/// The TCP connection behind a CONNECT failed.
pub const H3_CONNECT_ERROR: u64 = 0x10f;
/// The request cannot be served over HTTP/3.
pub const H3_VERSION_FALLBACK: u64 = 0x110;
/// A datagram or capsule of RFC 9297 cannot be parsed.
pub const H3_DATAGRAM_ERROR: u64 = 0x33;

/// A header block cannot be decoded.
pub const QPACK_DECOMPRESSION_FAILED: u64 = 0x200;
/// The peer's encoder stream cannot be understood.
pub const QPACK_ENCODER_STREAM_ERROR: u64 = 0x201;
/// The peer's decoder stream cannot be understood.
pub const QPACK_DECODER_STREAM_ERROR: u64 = 0x202;

/// Maps an application's stream error code into HTTP/3's space.
///
/// One code in 31 of that space is reserved as grease and is stepped over ([draft 16, §4.4]).
///
/// [draft 16, §4.4]: https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-4.4
pub const fn to_wire(app: u32) -> u64 {
    let app = app as u64;
    FIRST_APPLICATION_CODE + app + app / 0x1e
}

/// Recovers the application's code; `None` if `code` is not one of those.
pub fn from_wire(code: u64) -> Option<u32> {
    let shifted = code.checked_sub(FIRST_APPLICATION_CODE)?;
    if is_reserved(code) {
        return None;
    }
    u32::try_from(shifted - shifted / 0x1f).ok()
}

const fn is_reserved(code: u64) -> bool {
    code >= 0x21 && (code - 0x21).is_multiple_of(0x1f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST_APPLICATION: u64 = 0x52e5_ac98_3162;

    #[test]
    fn range_ends_where_the_draft_says() {
        assert_eq!(to_wire(0), FIRST_APPLICATION_CODE);
        assert_eq!(to_wire(0xff), 0x52e4_a40f_a9e2);
        assert_eq!(to_wire(u32::MAX), LAST_APPLICATION);
    }

    #[test]
    fn codes_outside_the_range_are_not_the_application_s() {
        for code in [
            0,
            H3_NO_ERROR,
            FIRST_APPLICATION_CODE - 1,
            LAST_APPLICATION + 1,
            u64::MAX,
        ] {
            assert_eq!(from_wire(code), None);
        }
    }

    #[test]
    fn reserved_codes_are_skipped() {
        assert_eq!(to_wire(0x1e) - to_wire(0x1d), 2);
        assert_eq!(from_wire(to_wire(0x1d) + 1), None);
    }

    proptest! {
        #[test]
        fn every_application_code_comes_back(app: u32) {
            prop_assert_eq!(from_wire(to_wire(app)), Some(app));
            prop_assert!(!is_reserved(to_wire(app)));
        }

        #[test]
        fn order_is_kept(app in 0..u32::MAX) {
            prop_assert!(to_wire(app) < to_wire(app + 1));
        }

        #[test]
        fn accepted_codes_are_exactly_those_written(
            code in FIRST_APPLICATION_CODE..=LAST_APPLICATION,
        ) {
            match from_wire(code) {
                Some(app) => prop_assert_eq!(to_wire(app), code),
                None => prop_assert!(is_reserved(code)),
            }
        }

        #[test]
        fn any_code_is_mapped_or_refused(code: u64) {
            if let Some(app) = from_wire(code) {
                prop_assert_eq!(to_wire(app), code);
            }
        }
    }
}

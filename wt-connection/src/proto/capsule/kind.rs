use bytes::BufMut;

use crate::proto::{draft, frame};

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
}

impl Capsule {
    /// Reads the payload of a CLOSE capsule; `None` if it is malformed.
    pub(super) fn close(payload: &[u8]) -> Option<Self> {
        let (code, reason) = payload.split_first_chunk()?;
        let code = u32::from_be_bytes(*code);
        let reason = str::from_utf8(reason).ok()?.to_owned();
        Some(Self::Close { code, reason })
    }

    /// Writes the capsule; a DATA frame has yet to carry it.
    ///
    /// A reason of more than 1024 bytes is written as it is, and peers refuse it.
    pub fn encode(&self, buf: &mut impl BufMut) {
        match self {
            Self::Close { code, reason } => {
                let mut payload = Vec::with_capacity(4 + reason.len());
                payload.put_u32(*code);
                payload.put_slice(reason.as_bytes());
                frame::put(buf, draft::CLOSE_CAPSULE, &payload);
            }
            Self::Drain => frame::put(buf, draft::DRAIN_CAPSULE, &[]),
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

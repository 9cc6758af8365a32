//! How much each side lets the other send in a session
//! ([draft 16,
//! §5.5](https://datatracker.ietf.org/doc/html/draft-ietf-webtrans-http3-16#section-5.5)).

use crate::proto::draft;
use crate::proto::settings::Settings;

/// What SETTINGS allow the peer in each session, before any capsule raises it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// Bytes on streams, behind their headers.
    pub data: u64,
    /// Bidirectional streams.
    pub bi_streams: u64,
    /// Unidirectional streams.
    pub uni_streams: u64,
}

impl Credit {
    /// Reads what is announced; nothing where that is left out.
    pub fn of(settings: &Settings) -> Self {
        let announced = |id| settings.get(id).unwrap_or(0);
        Self {
            data: announced(draft::INITIAL_MAX_DATA_12),
            bi_streams: announced(draft::INITIAL_MAX_STREAMS_BIDI_12),
            uni_streams: announced(draft::INITIAL_MAX_STREAMS_UNI_12),
        }
    }

    /// Says whether any is given, which asks for flow control.
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

//! The payload of SETTINGS
//! ([RFC 9114 §7.2.4](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4)).

#[cfg(test)]
mod tests;

use bytes::BufMut;

use crate::proto::credit::Credit;
use crate::proto::fault::ConnectionFault;
use crate::proto::generation::Generation;
use crate::proto::{code, draft, varint};

/// What one side announces, in the order of the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// No id is here twice.
    pairs: Vec<(u64, u64)>,
}

impl Settings {
    /// Announces nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces WebTransport to peers of every generation, and `credit` in each session.
    ///
    /// Without credit, draft 13's session limit is 1, since more of them mean flow control.
    pub fn ours(max_sessions: u64, max_field_section: u64, credit: Credit, server: bool) -> Self {
        let mut settings = Self::new().with(draft::MAX_FIELD_SECTION_SIZE, max_field_section);
        if server {
            settings = settings.with(draft::ENABLE_CONNECT_PROTOCOL, 1);
        }
        let settings = settings
            .with(draft::H3_DATAGRAM, 1)
            .with(draft::H3_DATAGRAM_04, 1)
            .with(draft::ENABLE_WEBTRANSPORT_02, 1)
            .with(draft::ENABLE_06, 1)
            .with(draft::MAX_SESSIONS_07, max_sessions)
            .with(draft::ENABLED_15, 1);
        if !credit.is_any() {
            return settings.with(draft::MAX_SESSIONS_13, 1);
        }
        settings
            .with(draft::MAX_SESSIONS_13, max_sessions)
            .with(draft::INITIAL_MAX_DATA_12, credit.data)
            .with(draft::INITIAL_MAX_STREAMS_UNI_12, credit.uni_streams)
            .with(draft::INITIAL_MAX_STREAMS_BIDI_12, credit.bi_streams)
    }

    /// Reads a whole payload.
    ///
    /// # Errors
    ///
    /// Fails if the payload is no list of pairs, or breaks a rule that a [`SettingsError`] names.
    pub fn decode(mut payload: &[u8]) -> Result<Self, SettingsError> {
        let mut settings = Self::new();
        while !payload.is_empty() {
            let id = varint::get(&mut payload).ok_or(SettingsError::Truncated)?;
            let value = varint::get(&mut payload).ok_or(SettingsError::Truncated)?;
            settings.admit(id, value)?;
            settings.pairs.push((id, value));
        }
        Ok(settings)
    }

    /// Announces `value` for `id`, in place of what it had.
    #[must_use]
    pub fn with(mut self, id: u64, value: u64) -> Self {
        match self.pairs.iter_mut().find(|(known, _)| *known == id) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((id, value)),
        }
        self
    }

    /// Looks up what is announced for `id`.
    pub fn get(&self, id: u64) -> Option<u64> {
        self.iter()
            .find(|(known, _)| *known == id)
            .map(|(_, value)| value)
    }

    /// Goes through ids and values in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.pairs.iter().copied()
    }

    /// Writes the payload, without the frame's header.
    ///
    /// # Panics
    ///
    /// Panics if an id or a value exceeds [`varint::MAX`].
    pub fn encode(&self, buf: &mut impl BufMut) {
        for (id, value) in self.iter() {
            varint::put(buf, id);
            varint::put(buf, value);
        }
    }

    /// Tells whether the sender understands HTTP datagrams.
    pub fn datagrams(&self) -> bool {
        [draft::H3_DATAGRAM, draft::H3_DATAGRAM_04]
            .into_iter()
            .any(|id| self.get(id) == Some(1))
    }

    /// Tells whether the sender accepts extended CONNECT, in words or by an early draft.
    pub fn extended_connect(&self) -> bool {
        [
            draft::ENABLE_CONNECT_PROTOCOL,
            draft::ENABLE_WEBTRANSPORT_02,
        ]
        .into_iter()
        .any(|id| self.get(id) == Some(1))
    }

    /// Reads how many sessions the sender accepts by the rules of this generation: since draft 13,
    /// one without flow control of each; since draft 15, there is no number, and one of an older
    /// draft's counts.
    pub fn max_sessions(&self, generation: Generation, flow_control: bool) -> u64 {
        let numbers = match generation {
            Generation::Draft02 | Generation::Draft06 | Generation::Draft07 => {
                &[draft::MAX_SESSIONS_07, draft::MAX_SESSIONS_02][..]
            }
            _ if !flow_control => return 1,
            Generation::Draft13 => &[draft::MAX_SESSIONS_13],
            Generation::Draft15 => &[draft::MAX_SESSIONS_13, draft::MAX_SESSIONS_07],
        };
        let none = match generation {
            Generation::Draft15 => u64::MAX,
            _ => 1,
        };
        numbers
            .iter()
            .find_map(|id| self.positive(*id))
            .unwrap_or(none)
    }

    /// Says whether the sender asks for flow control of each session, which is on if both do.
    pub fn flow_control(&self, generation: Generation) -> bool {
        let credit = Credit::of(self).is_any();
        match generation {
            Generation::Draft02 | Generation::Draft06 => false,
            Generation::Draft07 | Generation::Draft15 => credit,
            Generation::Draft13 => {
                credit || self.get(draft::MAX_SESSIONS_13).is_some_and(|max| max > 1)
            }
        }
    }

    /// Reads how large a header section the sender accepts; `None` where any is.
    pub fn max_field_section(&self) -> Option<u64> {
        self.get(draft::MAX_FIELD_SECTION_SIZE)
    }

    /// Says whether whoever goes by what the same side announced `earlier` may go on so.
    pub fn keeps(&self, earlier: &Self) -> bool {
        let section = |settings: &Self| settings.max_field_section().unwrap_or(u64::MAX);
        let numbers = [
            draft::ENABLE_CONNECT_PROTOCOL,
            draft::H3_DATAGRAM,
            draft::H3_DATAGRAM_04,
            draft::ENABLE_WEBTRANSPORT_02,
            draft::ENABLE_06,
            draft::MAX_SESSIONS_02,
            draft::MAX_SESSIONS_07,
            draft::MAX_SESSIONS_13,
            draft::ENABLED_15,
            draft::INITIAL_MAX_DATA_12,
            draft::INITIAL_MAX_STREAMS_UNI_12,
            draft::INITIAL_MAX_STREAMS_BIDI_12,
        ];
        section(self) >= section(earlier)
            && numbers
                .iter()
                .all(|id| self.get(*id).unwrap_or(0) >= earlier.get(*id).unwrap_or(0))
    }

    fn admit(&self, id: u64, value: u64) -> Result<(), SettingsError> {
        let boolean = matches!(id, draft::ENABLE_CONNECT_PROTOCOL | draft::H3_DATAGRAM);
        if matches!(id, 0x00 | 0x02..=0x05) {
            Err(SettingsError::Reserved(id))
        } else if self.get(id).is_some() {
            Err(SettingsError::Duplicate(id))
        } else if boolean && value > 1 {
            Err(SettingsError::Invalid(id))
        } else if self.pairs.len() == MAX_PAIRS {
            Err(SettingsError::TooMany)
        } else {
            Ok(())
        }
    }

    fn positive(&self, id: u64) -> Option<u64> {
        self.get(id).filter(|value| *value > 0)
    }
}

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An id came twice.
    #[error("setting {0:#x} came twice")]
    Duplicate(u64),
    /// The id is one of HTTP/2's that HTTP/3 has no use for
    /// ([RFC 9114 §11.2.2](https://www.rfc-editor.org/rfc/rfc9114#section-11.2.2)).
    #[error("setting {0:#x} is reserved")]
    Reserved(u64),
    /// The value is neither 0 nor 1.
    #[error("setting {0:#x} is neither 0 nor 1")]
    Invalid(u64),
    /// The payload ends inside a pair.
    #[error("settings end inside a pair")]
    Truncated,
    /// There are more settings than anybody needs.
    #[error("too many settings")]
    TooMany,
}

impl SettingsError {
    /// Names what to close the connection with.
    pub const fn code(&self) -> u64 {
        match self {
            Self::Duplicate(_) | Self::Reserved(_) | Self::Invalid(_) => code::H3_SETTINGS_ERROR,
            Self::Truncated => code::H3_FRAME_ERROR,
            Self::TooMany => code::H3_EXCESSIVE_LOAD,
        }
    }
}

impl From<SettingsError> for ConnectionFault {
    fn from(error: SettingsError) -> Self {
        let reason = match error {
            SettingsError::Duplicate(_) => "a setting came twice",
            SettingsError::Reserved(_) => "a setting is reserved",
            SettingsError::Invalid(_) => "a setting is neither 0 nor 1",
            SettingsError::Truncated => "settings end inside a pair",
            SettingsError::TooMany => "too many settings",
        };
        Self::new(error.code(), reason)
    }
}

const MAX_PAIRS: usize = 64;

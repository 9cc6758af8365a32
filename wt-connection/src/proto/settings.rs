//! The payload of SETTINGS
//! ([RFC 9114 §7.2.4](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.4)).

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    fn encoded(pairs: impl IntoIterator<Item = (u64, u64)>) -> Vec<u8> {
        let mut payload = Vec::new();
        for (id, value) in pairs {
            varint::put(&mut payload, id);
            varint::put(&mut payload, value);
        }
        payload
    }

    fn decode(pairs: impl IntoIterator<Item = (u64, u64)>) -> Result<Settings, SettingsError> {
        Settings::decode(&encoded(pairs))
    }

    const CREDIT: Credit = Credit {
        data: 7,
        bi_streams: 8,
        uni_streams: 9,
    };

    #[test]
    fn no_number_of_earlier_settings_may_become_less() {
        let credit = Credit {
            data: 10,
            bi_streams: 2,
            uni_streams: 2,
        };
        let earlier = Settings::ours(5, 100, credit, true).with(0x21, 7);
        let later = |id, value| Settings::ours(5, 100, credit, true).with(id, value);

        for (id, value) in earlier.iter().filter(|(id, _)| *id != 0x21) {
            assert!(later(id, value).keeps(&earlier), "{id:#x}");
            assert!(later(id, value + 1).keeps(&earlier), "{id:#x}");
            assert!(!later(id, value - 1).keeps(&earlier), "{id:#x}");
        }
        assert!(!Settings::new().keeps(&earlier));
        let small = Settings::new().with(draft::MAX_FIELD_SECTION_SIZE, 100);
        assert!(earlier.keeps(&small.clone().with(0x39, 1)));
        // Left out, it is 0.
        assert!(small.keeps(&small.clone().with(draft::MAX_SESSIONS_13, 0)));
        // Without a number, any header section is taken.
        assert!(!earlier.keeps(&Settings::new()));
    }

    #[test]
    fn ours_are_understood_by_ourselves() {
        for server in [false, true] {
            let ours = Settings::ours(16, 8192, CREDIT, server);

            assert!(ours.datagrams() && ours.extended_connect());
            assert_eq!(Generation::of(&ours, &ours), Some(Generation::Draft15));
            assert_eq!(Credit::of(&ours), CREDIT);
            assert!(ours.flow_control(Generation::Draft15));
            assert_eq!(ours.max_sessions(Generation::Draft15, true), 16);
            assert_eq!(ours.max_field_section(), Some(8192));
            let connect = ours.get(draft::ENABLE_CONNECT_PROTOCOL);
            assert_eq!(connect, server.then_some(1));
        }
    }

    #[test]
    fn without_credit_nothing_asks_for_flow_control() {
        let ours = Settings::ours(16, 8192, Credit::default(), true);

        for id in [0x2b61, 0x2b64, 0x2b65] {
            assert_eq!(ours.get(id), None);
        }
        for generation in [
            Generation::Draft02,
            Generation::Draft07,
            Generation::Draft13,
            Generation::Draft15,
        ] {
            assert!(!ours.flow_control(generation), "{generation}");
        }
    }

    #[test]
    fn flow_control_is_asked_for_by_the_rules_of_each_generation() {
        let credit = Settings::new().with(draft::INITIAL_MAX_STREAMS_UNI_12, 1);
        let several = Settings::new().with(draft::MAX_SESSIONS_13, 2);
        let one = Settings::new().with(draft::MAX_SESSIONS_13, 1);

        for (generation, by_credit, by_number) in [
            (Generation::Draft02, false, false),
            (Generation::Draft06, false, false),
            (Generation::Draft07, true, false),
            (Generation::Draft13, true, true),
            (Generation::Draft15, true, false),
        ] {
            assert_eq!(credit.flow_control(generation), by_credit, "{generation}");
            assert_eq!(several.flow_control(generation), by_number, "{generation}");
            assert!(!one.flow_control(generation), "{generation}");
        }
    }

    #[test]
    fn session_limit_is_read_by_the_rules_of_each_generation() {
        let silent = Settings::new().with(draft::MAX_SESSIONS_07, 0);
        let thirteen = silent.clone().with(draft::MAX_SESSIONS_13, 3);
        let two = thirteen.clone().with(draft::MAX_SESSIONS_02, 2);
        let seven = two.clone().with(draft::MAX_SESSIONS_07, 7);

        for (generation, flow_control, expected) in [
            (Generation::Draft02, false, [1, 1, 2, 7]),
            (Generation::Draft07, false, [1, 1, 2, 7]),
            (Generation::Draft07, true, [1, 1, 2, 7]),
            (Generation::Draft13, false, [1, 1, 1, 1]),
            (Generation::Draft13, true, [1, 3, 3, 3]),
            (Generation::Draft15, false, [1, 1, 1, 1]),
            (Generation::Draft15, true, [u64::MAX, 3, 3, 3]),
        ] {
            let limits = [&silent, &thirteen, &two, &seven]
                .map(|settings| settings.max_sessions(generation, flow_control));

            assert_eq!(limits, expected, "{generation}");
        }
    }

    #[test]
    fn later_value_replaces_the_former() {
        let settings = Settings::new().with(9, 1).with(10, 2).with(9, 3);

        assert_eq!(settings.iter().collect::<Vec<_>>(), [(9, 3), (10, 2)]);
    }

    #[test]
    fn broken_rules_are_named() {
        for (pairs, error, code) in [
            (
                vec![(9, 1), (9, 1)],
                SettingsError::Duplicate(9),
                code::H3_SETTINGS_ERROR,
            ),
            (
                vec![(0, 1)],
                SettingsError::Reserved(0),
                code::H3_SETTINGS_ERROR,
            ),
            (
                vec![(4, 1)],
                SettingsError::Reserved(4),
                code::H3_SETTINGS_ERROR,
            ),
            (
                vec![(0x33, 2)],
                SettingsError::Invalid(0x33),
                code::H3_SETTINGS_ERROR,
            ),
            (
                (100..165).map(|id| (id, 0)).collect(),
                SettingsError::TooMany,
                code::H3_EXCESSIVE_LOAD,
            ),
        ] {
            assert_eq!(decode(pairs), Err(error));
            assert_eq!(ConnectionFault::from(error).code, code);
        }
        assert!(decode((100..164).map(|id| (id, 0))).is_ok());
    }

    #[test]
    fn half_a_pair_is_a_frame_error() {
        for payload in [&b"\x09"[..], b"\x40", b"\x09\x40"] {
            let error = Settings::decode(payload).unwrap_err();

            assert_eq!(error, SettingsError::Truncated);
            assert_eq!(error.code(), code::H3_FRAME_ERROR);
        }
    }

    proptest! {
        #[test]
        fn settings_come_back(
            pairs in btree_map(0x100..=varint::MAX, 0..=varint::MAX, 0..=MAX_PAIRS),
        ) {
            let settings = decode(pairs.clone()).unwrap();

            prop_assert_eq!(settings.iter().collect::<BTreeMap<_, _>>(), pairs);
            let mut again = Vec::new();
            settings.encode(&mut again);
            prop_assert_eq!(Settings::decode(&again), Ok(settings));
        }

        #[test]
        fn any_payload_is_read_or_refused(payload: Vec<u8>) {
            if let Ok(settings) = Settings::decode(&payload) {
                let mut again = Vec::new();
                settings.encode(&mut again);
                prop_assert_eq!(Settings::decode(&again), Ok(settings));
            }
        }
    }
}

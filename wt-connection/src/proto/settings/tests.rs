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

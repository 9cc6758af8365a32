//! The payload of SETTINGS: what is read is what was written, by the rules, and can be written
//! again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wt_connection::Generation;
use wt_connection::proto::credit::Credit;
use wt_connection::proto::settings::{Settings, SettingsError};
use wt_connection::proto::varint;

fuzz_target!(|payload: &[u8]| {
    let expected = pairs(payload);
    match Settings::decode(payload) {
        Ok(settings) => {
            let pairs: Vec<_> = settings.iter().collect();
            assert_eq!(Some(&pairs), expected.as_ref());
            assert!(pairs.len() <= 64, "settings are bounded");
            assert_rules(&pairs);
            assert_comes_back(&settings, payload.len());
            assert_sense(&settings);
        }
        Err(SettingsError::Truncated) => assert_eq!(expected, None),
        Err(_) => {}
    }
});

/// All pairs of a payload; `None` if the last one is cut off.
fn pairs(mut payload: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut pairs = Vec::new();
    while !payload.is_empty() {
        pairs.push((varint::get(&mut payload)?, varint::get(&mut payload)?));
    }
    Some(pairs)
}

fn assert_rules(pairs: &[(u64, u64)]) {
    for (index, (id, value)) in pairs.iter().enumerate() {
        assert!(!(2..=5).contains(id), "{id:#x} is HTTP/2's");
        assert!(
            !matches!(id, 0x08 | 0x33) || *value <= 1,
            "{id:#x} is 0 or 1"
        );
        assert!(
            pairs[..index].iter().all(|(former, _)| former != id),
            "{id:#x} came twice"
        );
    }
}

fn assert_comes_back(settings: &Settings, len: usize) {
    let mut again = Vec::new();
    settings.encode(&mut again);
    assert!(again.len() <= len, "ours is the shortest encoding");
    assert_eq!(Settings::decode(&again).as_ref(), Ok(settings));
}

fn assert_sense(settings: &Settings) {
    let said = |id, value| settings.get(id) == Some(value);
    assert_eq!(settings.datagrams(), said(0x33, 1) || said(0xff_d277, 1));
    for generation in [
        Generation::Draft02,
        Generation::Draft07,
        Generation::Draft13,
        Generation::Draft15,
    ] {
        let [without, with] = [false, true].map(|on| settings.max_sessions(generation, on));
        assert!(without > 0 && with >= without);
        assert!(without == 1 || generation < Generation::Draft13);
        let asks = settings.flow_control(generation);
        assert!(!asks || generation > Generation::Draft02);
        assert!(asks || !Credit::of(settings).is_any() || generation == Generation::Draft02);
    }
}

//! What is small: datagrams, the codes of streams, and the header fields by which client and server
//! agree on a subprotocol.
#![no_main]

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use wt_connection::proto::generation::Names;
use wt_connection::proto::{code, datagram, draft, subprotocol, varint};

fuzz_target!(|bytes: &[u8]| {
    assert_datagram(bytes);
    assert_code(bytes);
    assert_subprotocols(bytes);
});

fn assert_datagram(bytes: &[u8]) {
    let mut payload = Bytes::copy_from_slice(bytes);
    let Ok(session) = datagram::decode(&mut payload) else {
        let mut bytes = bytes;
        assert!(varint::get(&mut bytes).is_none_or(|quarter| quarter > varint::MAX / 4));
        return;
    };
    assert!(session.is_multiple_of(4) && session <= varint::MAX);
    assert!(bytes.ends_with(&payload));
    let mut again = datagram::encode(&mut BytesMut::new(), session, &payload);
    assert_eq!(again.len(), datagram::prefix_len(session) + payload.len());
    assert!(again.len() <= bytes.len());
    assert_eq!(datagram::decode(&mut again), Ok(session));
    assert_eq!(again, payload);
}

fn assert_code(mut bytes: &[u8]) {
    let Some(wire) = varint::get(&mut bytes) else {
        return;
    };
    if let Some(app) = code::from_wire(wire) {
        assert_eq!(code::to_wire(app), wire);
    }
    // Whatever the application says, too.
    let app = wire as u32;
    assert_eq!(code::from_wire(code::to_wire(app)), Some(app));
}

/// Each line of the input is one of the field.
fn assert_subprotocols(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(draft::OFFER_10, value.clone());
            headers.append(draft::CHOICE_10, value);
        }
    }
    let strings = subprotocol::offer(&headers, Names::Strings);
    let offer = subprotocol::offer(&headers, Names::Either);
    // What is read by the rules of new drafts is read alike by those of old ones.
    assert!(strings.names.is_empty() || (strings == offer && !offer.tokens));
    let choice = subprotocol::choice(&headers, Names::Either);
    // Lines are joined by two bytes, in place of one.
    assert!(offer.names.iter().map(String::len).sum::<usize>() <= 2 * bytes.len());
    assert_offer(&offer.names);
    if let Some(choice) = &choice {
        for token in [false, true] {
            let value = subprotocol::encode_choice(choice, token).expect("it is printable");
            let mut again = HeaderMap::new();
            again.insert(draft::CHOICE_10, value);
            let read = subprotocol::choice(&again, Names::Either);
            assert_eq!(read.as_ref(), Some(choice));
        }
    }
    let answered = subprotocol::answer(&mut headers, None, &offer, Names::Either);
    match choice {
        Some(choice) if offer.names.contains(&choice) => assert_eq!(answered, Ok(Some(choice))),
        Some(_) => assert!(answered.is_err()),
        None => assert!(answered.is_err() || !headers.contains_key(draft::CHOICE_10)),
    }
}

fn assert_offer(offer: &[String]) {
    let Some(first) = offer.first() else { return };
    for (tokens, types) in [(false, Names::Strings), (true, Names::Either)] {
        let value = subprotocol::encode_offer(offer, tokens).expect("all of it is printable");
        let mut again = HeaderMap::new();
        again.insert(draft::OFFER_10, value);
        assert_eq!(subprotocol::offer(&again, types).names, offer);
    }
    assert_eq!(subprotocol::choose([first], offer).as_ref(), Some(first));
}

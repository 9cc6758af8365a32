//! Header blocks: what is read fits the limit and can be written again, as fields, as a CONNECT and
//! as an answer; and what is called plain at a glance is so when it is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wt_connection::proto::message::{self, MessageError, Protocol};
use wt_connection::proto::qpack::{self, Field, QpackError};

fuzz_target!(|block: &[u8]| {
    let all = qpack::decode(block, usize::MAX);
    assert_limited(block, &all);
    for limit in [100, 16 * 1024, usize::MAX] {
        assert_glance(block, limit);
    }
    let Ok(fields) = all else { return };
    // No code is shorter than five bits, and no entry of the table longer than this.
    assert!(size(&fields) <= block.len().saturating_mul(200));
    let again = encode(&fields);
    assert_eq!(qpack::decode(&again, usize::MAX).as_ref(), Ok(&fields));
    assert_connect(&fields);
    assert_answer(&fields);
});

fn size(fields: &[Field<'_>]) -> usize {
    let size = |(name, value): &Field<'_>| name.len() + value.len() + 32;
    fields.iter().map(size).sum()
}

fn encode(fields: &[Field<'_>]) -> Vec<u8> {
    let mut block = Vec::new();
    qpack::encode(
        fields.iter().map(|(name, value)| (&name[..], &value[..])),
        &mut block,
    );
    block
}

/// A limit lets through what is within it, and nothing else.
fn assert_limited(block: &[u8], all: &Result<Vec<Field<'_>>, QpackError>) {
    match all {
        Ok(fields) => {
            let size = size(fields);
            assert_eq!(&qpack::decode(block, size), all);
            if size > 0 {
                assert_eq!(qpack::decode(block, size - 1), Err(QpackError::TooLarge));
            }
        }
        Err(error) => {
            assert_ne!(*error, QpackError::TooLarge);
            assert!(qpack::decode(block, 16 * 1024).is_err());
        }
    }
}

fn assert_glance(block: &[u8], limit: usize) {
    if !qpack::is_plain_request(block, limit) {
        return;
    }
    let fields = match qpack::decode(block, limit) {
        Ok(fields) => fields,
        Err(error) => return assert_eq!(error, QpackError::Malformed),
    };
    let methods: Vec<_> = fields
        .iter()
        .filter(|(name, _)| &name[..] == b":method")
        .collect();
    assert!(methods.len() == 1 && &methods[0].1[..] != b"CONNECT");
    assert!(!message::is_extended_connect(&fields));
    assert!(message::decode_connect(&fields).is_ok_and(|connect| connect.is_none()));
    match message::check_plain(&fields) {
        Ok(()) => {}
        Err(error) => assert!(
            matches!(
                error,
                MessageError::HeaderName
                    | MessageError::HeaderValue
                    | MessageError::ConnectionSpecific
            ),
            "{error}"
        ),
    }
}

fn assert_connect(fields: &[Field<'_>]) {
    let Ok(Some(request)) = message::decode_connect(fields) else {
        return;
    };
    assert!(message::is_extended_connect(fields));
    let uri = request.uri();
    assert_eq!(uri.scheme_str(), Some("https"));
    assert!(uri.host().is_some_and(|host| !host.is_empty()));
    assert!(uri.path().starts_with('/'));
    let (parts, ()) = request.into_parts();
    let Protocol(token) = parts.extensions.get().expect("it has a protocol");

    let block = message::encode_connect(&parts, token).expect("it can be asked for again");
    let fields = qpack::decode(&block, usize::MAX).expect("it is ours");
    let again = message::decode_connect(&fields);

    let again = again.expect("it is ours").expect("it is a CONNECT");
    assert_eq!(again.uri(), &parts.uri);
    assert_eq!(again.headers(), &parts.headers);
}

fn assert_answer(fields: &[Field<'_>]) {
    let Ok(response) = message::decode_response(fields) else {
        return;
    };
    let (parts, ()) = response.into_parts();

    let block = message::encode_response(&parts).expect("it can be answered again");
    let fields = qpack::decode(&block, usize::MAX).expect("it is ours");
    let again = message::decode_response(&fields).expect("it is ours");

    assert_eq!(again.status(), parts.status);
    assert_eq!(again.headers(), &parts.headers);
}

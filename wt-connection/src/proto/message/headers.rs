use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::MessageError;
use crate::proto::qpack::Field;

/// Divides fields where the pseudo headers end.
pub(super) fn split<'a, 'b>(fields: &'a [Field<'b>]) -> (&'a [Field<'b>], &'a [Field<'b>]) {
    let end = fields.iter().take_while(|field| is_pseudo(field)).count();
    fields.split_at(end)
}

/// Reads the fields behind the pseudo headers.
pub(super) fn decode(fields: &[Field<'_>]) -> Result<HeaderMap, MessageError> {
    let mut headers = HeaderMap::new();
    for field in fields {
        let (name, value) = read(field)?;
        headers
            .try_append(name, value)
            .map_err(|_| MessageError::TooMany)?;
    }
    Ok(headers)
}

/// Checks the fields behind the pseudo headers.
pub(super) fn check(fields: &[Field<'_>]) -> Result<(), MessageError> {
    fields.iter().try_for_each(|field| read(field).map(drop))
}

/// Puts `headers` behind the pseudo headers in `fields`.
pub(super) fn encode<'a>(
    headers: &'a HeaderMap,
    fields: &mut Vec<(&'a [u8], &'a [u8])>,
) -> Result<(), MessageError> {
    for (name, value) in headers {
        admit(name, value)?;
        fields.push((name.as_ref(), value.as_bytes()));
    }
    Ok(())
}

fn read(field: &Field<'_>) -> Result<(HeaderName, HeaderValue), MessageError> {
    if is_pseudo(field) {
        return Err(MessageError::MisplacedPseudo);
    }
    let name = HeaderName::from_lowercase(&field.0).map_err(|_| MessageError::HeaderName)?;
    let value = HeaderValue::from_bytes(&field.1).map_err(|_| MessageError::HeaderValue)?;
    admit(&name, &value)?;
    Ok((name, value))
}

fn is_pseudo(field: &Field<'_>) -> bool {
    field.0.starts_with(b":")
}

/// Refuses what speaks of a connection
/// ([RFC 9114 §4.2](https://www.rfc-editor.org/rfc/rfc9114#section-4.2)).
fn admit(name: &HeaderName, value: &HeaderValue) -> Result<(), MessageError> {
    let specific = match *name {
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE => true,
        header::TE => value != "trailers",
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    };
    if specific {
        Err(MessageError::ConnectionSpecific)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn field<'a>(name: &'a [u8], value: &'a [u8]) -> Field<'a> {
        (name.into(), value.into())
    }

    fn decode_one(name: &[u8], value: &[u8]) -> Result<HeaderMap, MessageError> {
        decode(&[field(name, value)])
    }

    #[test]
    fn headers_are_appended() {
        let fields = [field(b"a", b"1"), field(b"b", b""), field(b"a", b"2")];

        let headers = decode(&fields).unwrap();

        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["b"], "");
    }

    #[test]
    fn names_are_in_lower_case_and_tokens() {
        let long = b"X".repeat(100);
        for name in [&b"Origin"[..], b"", b"a b", b"a\0", b"\xff", &long] {
            assert_eq!(decode_one(name, b""), Err(MessageError::HeaderName));
        }
    }

    #[test]
    fn values_have_no_control_characters() {
        for value in [&b"a\0"[..], b"a\r\nb: c", b"\x7f"] {
            assert_eq!(decode_one(b"a", value), Err(MessageError::HeaderValue));
        }
    }

    #[test]
    fn headers_of_a_connection_are_refused() {
        for (name, value) in [
            (&b"connection"[..], &b"close"[..]),
            (b"keep-alive", b"timeout=5"),
            (b"proxy-connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"websocket"),
            (b"te", b"gzip"),
        ] {
            let refused = decode_one(name, value);

            assert_eq!(refused, Err(MessageError::ConnectionSpecific));
        }
        assert!(decode_one(b"te", b"trailers").is_ok());
    }

    #[test]
    fn pseudo_headers_come_first() {
        let fields = [field(b":a", b""), field(b"b", b""), field(b":c", b"")];

        let (pseudo, others) = split(&fields);

        assert_eq!((pseudo.len(), others.len()), (1, 2));
        assert_eq!(decode(others), Err(MessageError::MisplacedPseudo));
    }

    #[test]
    fn more_headers_than_a_map_takes_are_refused() {
        let names: Vec<_> = (0..40_000).map(|n| format!("x-{n}").into_bytes()).collect();
        let fields: Vec<_> = names.iter().map(|name| field(name, b"")).collect();

        assert_eq!(decode(&fields), Err(MessageError::TooMany));
    }

    proptest! {
        #[test]
        fn any_fields_are_read_or_refused(fields: Vec<(Vec<u8>, Vec<u8>)>) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| field(name, value)).collect();

            let _ = decode(&fields);
        }

        #[test]
        fn what_is_read_is_written(fields in vec(("[a-z]{1,9}", "[ -~]{0,9}"), 0..9)) {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| field(name.as_bytes(), value.as_bytes()))
                .collect();
            let Ok(headers) = decode(&fields) else {
                return Ok(());
            };

            let mut again = Vec::new();
            encode(&headers, &mut again).unwrap();

            let again: Vec<_> = again.iter().map(|(name, value)| field(name, value)).collect();
            prop_assert_eq!(again.len(), fields.len());
            prop_assert_eq!(decode(&again), Ok(headers));
        }
    }
}

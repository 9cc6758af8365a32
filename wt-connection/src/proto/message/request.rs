use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, Request, Version, request};

use super::pseudo::{Pseudo, check_authority};
use super::{MessageError, headers};
use crate::proto::draft::{TOKEN, TOKEN_15};
use crate::proto::qpack::{self, Field};

/// Which `:protocol` a CONNECT asked for; an extension of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub &'static str);

/// Reads a CONNECT for WebTransport; `None` if the request is a different one.
///
/// The URI is absolute, and [`Protocol`] is among the extensions.
///
/// # Errors
///
/// Fails if the request is for WebTransport but malformed.
pub fn decode_connect(fields: &[Field<'_>]) -> Result<Option<Request<()>>, MessageError> {
    let Some(protocol) = protocol(fields) else {
        return Ok(None);
    };
    let (pseudo, others) = headers::split(fields);
    let uri = Pseudo::collect(pseudo)?.uri()?;
    let headers = headers::decode(others)?;
    check_host(&headers, &uri)?;

    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_3;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(protocol);
    Ok(Some(request))
}

/// Says whether a request is an extended CONNECT, for whatever protocol
/// ([RFC 9220 §3](https://www.rfc-editor.org/rfc/rfc9220#section-3)).
pub fn is_extended_connect(fields: &[Field<'_>]) -> bool {
    let connect = |(name, value): &Field<'_>| &name[..] == b":method" && &value[..] == b"CONNECT";
    fields.iter().any(connect) && fields.iter().any(|(name, _)| &name[..] == b":protocol")
}

/// Checks what h3 lets pass in any other request: pseudo headers that come twice, behind others or
/// from a response, and headers that speak of a connection.
///
/// # Errors
///
/// Fails if the request is malformed ([RFC 9114 §4.1.2]).
///
/// [RFC 9114 §4.1.2]: https://www.rfc-editor.org/rfc/rfc9114#section-4.1.2
pub fn check_plain(fields: &[Field<'_>]) -> Result<(), MessageError> {
    let (pseudo, others) = headers::split(fields);
    if Pseudo::collect(pseudo)?.protocol.is_some() {
        return Err(MessageError::Invalid(":protocol"));
    }
    headers::check(others)
}

/// Writes the header block of a CONNECT to an absolute `https` URI.
///
/// Of the request, the URI and the headers count; `token` is the `:protocol`.
///
/// # Errors
///
/// Fails if the URI has another scheme, no authority or user information, or if a header may not be
/// sent over HTTP/3.
pub fn encode_connect(request: &request::Parts, token: &str) -> Result<Bytes, MessageError> {
    let uri = &request.uri;
    if uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(MessageError::Invalid(":scheme"));
    }
    let authority = uri.authority().ok_or(MessageError::Missing(":authority"))?;
    check_authority(authority)?;
    check_host(&request.headers, uri)?;
    // Only its `Display` puts the slash before a lone query.
    let path = uri
        .path_and_query()
        .map_or_else(|| "/".to_owned(), PathAndQuery::to_string);

    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"CONNECT"),
        (b":protocol", token.as_bytes()),
        (b":scheme", b"https"),
        (b":authority", authority.as_str().as_bytes()),
        (b":path", path.as_bytes()),
    ];
    headers::encode(&request.headers, &mut fields)?;
    let mut block = BytesMut::with_capacity(256);
    qpack::encode(fields, &mut block);
    Ok(block.freeze())
}

fn protocol(fields: &[Field<'_>]) -> Option<Protocol> {
    let has = |name: &[u8], value: &[u8]| {
        fields
            .iter()
            .any(|field| (&*field.0, &*field.1) == (name, value))
    };
    if !has(b":method", b"CONNECT") {
        return None;
    }
    [TOKEN, TOKEN_15]
        .into_iter()
        .find(|token| has(b":protocol", token.as_bytes()))
        .map(Protocol)
}

/// Refuses a `host` that contradicts `:authority`
/// ([RFC 9114 §4.3.1](https://www.rfc-editor.org/rfc/rfc9114#section-4.3.1)).
fn check_host(headers: &HeaderMap, uri: &Uri) -> Result<(), MessageError> {
    let authority = uri.authority().map_or("", Authority::as_str).as_bytes();
    let agrees = |host: &[u8]| host.eq_ignore_ascii_case(authority);
    if headers
        .get_all(HOST)
        .iter()
        .all(|host| agrees(host.as_bytes()))
    {
        Ok(())
    } else {
        Err(MessageError::Invalid(":authority"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALID: [(&str, &str); 6] = [
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "example.com:4433"),
        (":path", "/chat?room=1"),
        ("origin", "https://example.com"),
    ];

    fn decode<'a>(
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Request<()>>, MessageError> {
        let fields: Vec<Field<'_>> = fields
            .into_iter()
            .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
            .collect();
        decode_connect(&fields)
    }

    /// The error for the valid fields, of which one has another value.
    fn with(name: &str, value: &str) -> Option<MessageError> {
        let replace = |field: (&'static str, &'static str)| {
            let value = if field.0 == name { value } else { field.1 };
            (field.0, value)
        };
        decode(VALID.map(replace)).err()
    }

    fn parts(uri: &str) -> request::Parts {
        Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    fn round_trip(parts: &request::Parts, token: &str) -> Request<()> {
        let block = encode_connect(parts, token).unwrap();
        let fields = qpack::decode(&block, usize::MAX).unwrap();
        decode_connect(&fields).unwrap().unwrap()
    }

    #[test]
    fn connect_becomes_a_request() {
        let request = decode(VALID).unwrap().unwrap();

        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.version(), Version::HTTP_3);
        assert_eq!(request.uri(), "https://example.com:4433/chat?room=1");
        assert_eq!(request.headers()["origin"], "https://example.com");
        assert_eq!(request.extensions().get(), Some(&Protocol("webtransport")));
    }

    #[test]
    fn other_requests_are_left_to_others() {
        for (name, value) in [
            (":method", "GET"),
            (":protocol", "websocket"),
            (":protocol", "connect-udp"),
        ] {
            assert_eq!(with(name, value), None);
        }
        let tunnel = [(":method", "CONNECT"), (":authority", "example.com:80")];
        assert!(decode(tunnel).unwrap().is_none());
        assert!(decode([]).unwrap().is_none());
    }

    #[test]
    fn missing_pseudo_headers_are_named() {
        for missing in [":scheme", ":authority", ":path"] {
            let fields = VALID.into_iter().filter(|(name, _)| *name != missing);

            assert_eq!(decode(fields).unwrap_err(), MessageError::Missing(missing));
        }
    }

    #[test]
    fn repeated_pseudo_headers_are_named() {
        for field in &VALID[..5] {
            let fields = std::iter::once(*field).chain(VALID);

            assert_eq!(
                decode(fields).unwrap_err(),
                MessageError::Duplicate(field.0)
            );
        }
    }

    #[test]
    fn pseudo_headers_come_first() {
        for index in 0..5 {
            let mut fields = VALID.to_vec();
            let field = fields.remove(index);
            fields.push(field);

            assert!(decode(fields).is_err());
        }
    }

    #[test]
    fn pseudo_headers_of_responses_are_refused() {
        let fields = std::iter::once((":status", "200")).chain(VALID);

        assert_eq!(decode(fields).unwrap_err(), MessageError::UnknownPseudo);
    }

    #[test]
    fn uri_is_checked_part_by_part() {
        for (name, values) in [
            (":scheme", &["", "http", "HTTPS"][..]),
            (
                ":authority",
                &["", ":443", "user@example.com", "a/b", "a b"],
            ),
            (
                ":path",
                &["", "*", "chat", "?room", "/a#b", "/a b", "/\u{7f}"],
            ),
        ] {
            let name: &'static str = name;
            for value in values {
                assert_eq!(
                    with(name, value),
                    Some(MessageError::Invalid(name)),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn host_agrees_with_the_authority() {
        let host = |host| VALID.into_iter().chain(std::iter::once(("host", host)));

        assert!(decode(host("Example.com:4433")).is_ok());
        assert_eq!(
            decode(host("example.org")).unwrap_err(),
            MessageError::Invalid(":authority")
        );
    }

    #[test]
    fn requests_come_back() {
        let mut parts = parts("https://example.com/chat?room=1");
        parts
            .headers
            .insert("origin", "https://example.com".parse().unwrap());

        for token in [TOKEN, TOKEN_15] {
            let request = round_trip(&parts, token);

            assert_eq!(request.uri(), &parts.uri);
            assert_eq!(request.headers(), &parts.headers);
            assert_eq!(request.extensions().get(), Some(&Protocol(token)));
        }
    }

    #[test]
    fn path_always_begins_with_a_slash() {
        for (uri, path) in [
            ("https://example.com", "/"),
            ("https://example.com?room=1", "/?room=1"),
        ] {
            let request = round_trip(&parts(uri), TOKEN);

            assert_eq!(request.uri().path_and_query().unwrap().as_str(), path);
        }
    }

    #[test]
    fn only_absolute_https_uris_are_written() {
        for uri in ["/chat", "http://example.com/", "https://user@example.com/"] {
            assert!(encode_connect(&parts(uri), TOKEN).is_err());
        }
    }

    #[test]
    fn headers_of_a_connection_are_not_written() {
        let mut parts = parts("https://example.com");
        parts.headers.insert("connection", "close".parse().unwrap());

        assert_eq!(
            encode_connect(&parts, TOKEN),
            Err(MessageError::ConnectionSpecific)
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_comes_back(authority in "\\PC{0,12}", path in "/\\PC{0,12}") {
            let mut fields = VALID;
            fields[3].1 = &authority;
            fields[4].1 = &path;
            if let Ok(Some(request)) = decode(fields) {
                let uri = request.uri().clone();
                let (parts, ()) = request.into_parts();

                let again = round_trip(&parts, TOKEN);
                prop_assert_eq!(again.uri(), &uri);
            }
        }

        #[test]
        fn any_fields_are_read_or_refused(
            fields: Vec<(Vec<u8>, Vec<u8>)>,
            authority: Vec<u8>,
            path: Vec<u8>,
        ) {
            let mut all: Vec<Field<'_>> = VALID[..3]
                .iter()
                .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
                .collect();
            all.push((b":authority".into(), authority.into()));
            all.push((b":path".into(), path.into()));
            all.extend(fields.into_iter().map(|(name, value)| (name.into(), value.into())));

            let _ = decode_connect(&all);
        }
    }
}

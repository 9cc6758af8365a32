//! What HTTP/3 asks of a message's headers.

use std::mem;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Scheme, Uri};
use http::{Method, StatusCode, request, response};

use crate::connection::Core;
use crate::error::RequestError;

/// A `content-length` that is no number, or several that differ.
#[derive(Debug)]
pub(crate) struct BadLength;

/// How long the content is to be, where the message says.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, BadLength> {
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let value = value.to_str().ok().filter(|value| is_number(value));
        let value = value
            .and_then(|value| value.parse().ok())
            .ok_or(BadLength)?;
        if length.replace(value).is_some_and(|before| before != value) {
            return Err(BadLength);
        }
    }
    Ok(length)
}

/// Joins the pieces that HTTP/3 lets a client make of its cookies
/// ([RFC 9114 §4.2.1](https://www.rfc-editor.org/rfc/rfc9114#section-4.2.1)).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
    if pieces.len() < 2 {
        return;
    }
    let pieces: Vec<_> = pieces.into_iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Says how long the content is, unless the message does already.
pub(crate) fn set_content_length(headers: &mut HeaderMap, length: Option<u64>) {
    if let Some(length) = length {
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
}

/// Says whether a response with this status never has content
/// ([RFC 9110 §6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1)).
pub(crate) fn has_no_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Says whether a message speaks of a connection, which it may not
/// ([RFC 9114 §4.2](https://www.rfc-editor.org/rfc/rfc9114#section-4.2)).
pub(crate) fn is_of_a_connection(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, value)| match *name {
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE => true,
        header::TE => value != "trailers",
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    })
}

/// Takes out what speaks of a connection, which layers written for HTTP/1 may have put there.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if !is_of_a_connection(headers) {
        return;
    }
    let listed: Vec<_> = headers
        .get_all(header::CONNECTION)
        .iter()
        .cloned()
        .collect();
    let listed = listed.iter().filter_map(|names| names.to_str().ok());
    for name in listed.flat_map(|names| names.split(',')) {
        headers.remove(name.trim());
    }
    for name in SPECIFIC {
        headers.remove(name);
    }
    if is_of_a_connection(headers) {
        headers.remove(header::TE);
    }
}

/// Makes a request's head one that HTTP/3 can send; a URI may be a path alone.
pub(crate) fn request<B: http_body::Body>(
    request: http::Request<B>,
    core: &Core,
) -> Result<(http::Request<()>, B), RequestError> {
    let (mut parts, body) = request.into_parts();
    if parts.method == Method::CONNECT {
        return Err(invalid("a CONNECT is no plain request"));
    }
    parts.uri = absolute(mem::take(&mut parts.uri), core)?;
    remove_host(&mut parts)?;
    strip(&mut parts.headers);
    if body.size_hint().exact() != Some(0) || expects_content(&parts.method) {
        set_content_length(&mut parts.headers, body.size_hint().exact());
    }
    if field_section_size(&parts) > core.peer.max_field_section() {
        return Err(invalid("the headers are larger than the server takes"));
    }
    let mut head = http::Request::new(());
    *head.method_mut() = parts.method;
    *head.uri_mut() = parts.uri;
    *head.headers_mut() = parts.headers;
    Ok((head, body))
}

fn absolute(uri: Uri, core: &Core) -> Result<Uri, RequestError> {
    let mut parts = uri.into_parts();
    if *parts.scheme.get_or_insert(Scheme::HTTPS) != Scheme::HTTPS {
        return Err(invalid("the scheme is not https"));
    }
    let authority = parts
        .authority
        .get_or_insert_with(|| core.authority.clone());
    if authority.as_str().contains('@') {
        return Err(invalid("the authority has user information"));
    }
    Uri::from_parts(parts).map_err(|error| RequestError::InvalidRequest(error.into()))
}

/// Leaves the host to `:authority`, which it must not contradict.
fn remove_host(parts: &mut request::Parts) -> Result<(), RequestError> {
    let authority = parts
        .uri
        .authority()
        .map_or("", |authority| authority.as_str());
    match parts.headers.remove(header::HOST) {
        Some(host) if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(invalid("the host is not that of the URI"))
        }
        _ => Ok(()),
    }
}

/// As the peer counts it ([RFC 9114 §4.2.2](https://www.rfc-editor.org/rfc/rfc9114#section-4.2.2)).
fn field_section_size(parts: &request::Parts) -> u64 {
    let uri = parts
        .uri
        .authority()
        .map_or(0, |authority| authority.as_str().len())
        + parts
            .uri
            .path_and_query()
            .map_or(1, |path| path.as_str().len());
    let pseudo = ":method:scheme:authority:pathhttps".len() + 4 * OVERHEAD;
    (parts.method.as_str().len() + uri + pseudo + headers_size(&parts.headers)) as u64
}

/// As [`field_section_size`] for a response.
pub(crate) fn response_size(parts: &response::Parts) -> u64 {
    let status = ":status200".len() + OVERHEAD;
    (status + headers_size(&parts.headers)) as u64
}

fn headers_size(headers: &HeaderMap) -> usize {
    let size =
        |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + OVERHEAD;
    headers.iter().map(size).sum()
}

/// Says whether a request without content says so
/// ([RFC 9110 §8.6](https://www.rfc-editor.org/rfc/rfc9110#section-8.6)).
fn expects_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn invalid(reason: &'static str) -> RequestError {
    RequestError::InvalidRequest(reason.into())
}

/// `parse` takes a sign, too.
fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
}

const SPECIFIC: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// How many interim responses are passed over before the final one.
pub(crate) const MAX_INTERIM: usize = 32;

/// What HTTP/3 counts for each field, beside its name and its value.
const OVERHEAD: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn length(values: &[&'static str]) -> Result<Option<u64>, BadLength> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(value));
        }
        content_length(&headers)
    }

    #[test]
    fn a_length_is_one_number() {
        assert_eq!(length(&[]).unwrap(), None);
        assert_eq!(length(&["17"]).unwrap(), Some(17));
        assert_eq!(length(&["17", "17"]).unwrap(), Some(17));
        for bad in [
            &["17", "18"][..],
            &["+17"],
            &["17, 17"],
            &[""],
            &["99999999999999999999"],
        ] {
            assert!(length(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_pieces_of_cookies_are_joined() {
        let mut headers = HeaderMap::new();
        for piece in ["a=1", "b=2; c=3", "d=4"] {
            headers.append(header::COOKIE, HeaderValue::from_static(piece));
        }

        join_cookies(&mut headers);

        assert_eq!(headers.len(), 1);
        assert_eq!(headers[header::COOKIE], "a=1; b=2; c=3; d=4");
    }

    #[test]
    fn what_speaks_of_a_connection_is_taken_out() {
        let mut headers = HeaderMap::new();
        for name in [
            "connection",
            "keep-alive",
            "te",
            "transfer-encoding",
            "accept",
        ] {
            headers.insert(name, HeaderValue::from_static("x-named"));
        }
        headers.insert("x-named", HeaderValue::from_static("x"));

        strip(&mut headers);

        assert_eq!(headers.len(), 1);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        strip(&mut headers);
        assert_eq!(headers.len(), 2);
    }
}

use std::collections::HashSet;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{self, HeaderMap, HeaderValue, header};
use axum::response::Response;
use wt_connection::{Peer, Protocols, Session};

/// The same request, to be sent to a server: its path, query, authority and headers, and the
/// subprotocols that the client offers.
pub(super) fn ask(request: &Request, protocols: &[String]) -> http::Request<()> {
    let mut onward = http::Request::new(());
    // The authority stays as well, and with it what a server makes of an `Origin`.
    *onward.uri_mut() = request.uri().clone();
    *onward.headers_mut() = headers(request.headers());
    if let Some(value) = forwarded(request) {
        onward.headers_mut().append(header::FORWARDED, value);
    }
    let offered = offer(protocols);
    if !offered.is_empty() {
        onward.extensions_mut().insert(Protocols::new(offered));
    }
    onward
}

/// The names of a client's offer that can be offered onward: each once, and no more of them than a
/// client of good will has.
fn offer(protocols: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    let names = protocols.iter().map(String::as_str);
    names
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        .filter(|name| seen.insert(*name))
        .take(MOST_PROTOCOLS)
        .collect()
}

/// The server's answer for the client, and the session that comes with it.
pub(super) fn answer(response: http::Response<Session>) -> (Response, Session) {
    let (parts, session) = response.into_parts();
    (empty(parts.status, &parts.headers), session)
}

/// A response of this status and these headers.
pub(super) fn empty(status: http::StatusCode, of: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers(of);
    response
}

/// Those that are not about one connection.
fn headers(of: &HeaderMap) -> HeaderMap {
    let mut headers = of.clone();
    for name in HOP {
        headers.remove(name);
    }
    headers
}

/// Whom it is asked for ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239)).
fn forwarded(request: &Request) -> Option<HeaderValue> {
    let peer = request.extensions().get::<Peer>()?.address();
    HeaderValue::try_from(format!("for=\"{peer}\";proto=https")).ok()
}

/// What WebTransport itself says on each connection, and the length of a content that is not
/// passed on.
const HOP: [&str; 5] = [
    "content-length",
    "sec-webtransport-http3-draft",
    "sec-webtransport-http3-draft02",
    "wt-available-protocols",
    "wt-protocol",
];

/// How many subprotocols are offered to a server.
const MOST_PROTOCOLS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn each_name_that_can_be_offered_is_offered_once() {
        let asked = names(&["b", "a", "", "b", "caf\u{e9}", "a\n", "c", "a"]);

        assert_eq!(offer(&asked), ["b", "a", "c"]);
    }

    #[test]
    fn the_first_sixty_four_names_are_offered() {
        let mut asked = names(&["twice"; 10]);
        asked.extend((0..10_000).map(|name| name.to_string()));

        let offered = offer(&asked);

        assert_eq!(offered.len(), 64);
        assert_eq!(offered[..2], ["twice", "0"]);
        assert_eq!(offered[63], "62");
    }
}

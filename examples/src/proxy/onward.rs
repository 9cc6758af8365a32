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
    let mut offered: Vec<&str> = Vec::new();
    for protocol in protocols {
        // Whatever a client offers, this is to be an offer that can be made.
        let fit = !protocol.is_empty() && protocol.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if fit && !offered.contains(&protocol.as_str()) {
            offered.push(protocol);
        }
    }
    if !offered.is_empty() {
        onward.extensions_mut().insert(Protocols::new(offered));
    }
    onward
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

//! What a client makes of a request before it is sent, and which it does not send.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use bytes::Bytes;
use common::bounded::{cancel, within};
use common::plain::{Channel, Exchange, ask, full, get, post, ready, served};
use common::raw::{self, ENABLED};
use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Uri, request};
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::mpsc;
use tower::Service;
use wt_connection::{Body, Connection, RequestError};

#[tokio::test]
async fn a_path_alone_is_asked_of_the_target() {
    within(async {
        let mut pair = Pair::connect().await;
        let port = pair.client.remote_address().port();

        let head = pair.send(get("/path?query")).await;

        let expected = format!("https://localhost:{port}/path?query");
        assert_eq!(head.uri, expected.parse::<Uri>().unwrap());
        assert!(!head.headers.contains_key(HOST));
    })
    .await;
}

#[tokio::test]
async fn a_whole_uri_is_sent_as_it_is() {
    within(async {
        let mut pair = Pair::connect().await;

        for uri in [
            "https://example.com/",
            "https://example.com:8443/a/b?c=d&e",
            "https://[::1]:8443/%20",
        ] {
            let head = pair.send(get(uri)).await;
            assert_eq!(head.uri, uri.parse::<Uri>().unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn a_uri_without_a_path_asks_for_the_root() {
    within(async {
        let mut pair = Pair::connect().await;

        let head = pair.send(get("https://example.com")).await;

        assert_eq!(head.uri.path(), "/");
        assert_eq!(head.uri.authority().unwrap(), "example.com");
    })
    .await;
}

#[tokio::test]
async fn a_host_that_repeats_the_authority_is_left_out() {
    within(async {
        let mut pair = Pair::connect().await;
        let mut request = get("https://example.com/");
        let host = HeaderValue::from_static("EXAMPLE.com");
        request.headers_mut().insert(HOST, host);

        let head = pair.send(request).await;

        assert_eq!(head.uri.authority().unwrap(), "example.com");
        assert!(!head.headers.contains_key(HOST));
    })
    .await;
}

#[tokio::test]
async fn what_speaks_of_a_connection_is_not_sent() {
    within(async {
        let mut pair = Pair::connect().await;
        let mut request = get("/");
        for (name, value) in [
            ("connection", "keep-alive, x-hop"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "gzip"),
            ("accept", "*/*"),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }

        let head = pair.send(request).await;

        let mut expected = HeaderMap::new();
        expected.insert("accept", HeaderValue::from_static("*/*"));
        assert_eq!(head.headers, expected);
    })
    .await;
}

#[tokio::test]
async fn te_may_ask_for_trailers() {
    within(async {
        let mut pair = Pair::connect().await;
        let mut request = get("/");
        let trailers = HeaderValue::from_static("trailers");
        request.headers_mut().insert("te", trailers);

        let head = pair.send(request).await;

        assert_eq!(head.headers["te"], "trailers");
    })
    .await;
}

#[tokio::test]
async fn the_length_is_told_where_it_is_known() {
    within(async {
        let mut pair = Pair::connect().await;

        let head = pair.send(post("/", Full::new(Bytes::from("four")))).await;
        assert_eq!(head.headers[CONTENT_LENGTH], "4");
        let head = pair.send(post("/", Empty::<Bytes>::new())).await;
        assert_eq!(head.headers[CONTENT_LENGTH], "0");
        let head = pair.send(get("/")).await;
        assert!(!head.headers.contains_key(CONTENT_LENGTH));
        let (_, unknown) = Channel::new();
        let head = pair.send(post("/", unknown)).await;
        assert!(!head.headers.contains_key(CONTENT_LENGTH));
    })
    .await;
}

#[tokio::test]
async fn a_request_that_http3_does_not_have_is_not_sent() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let connect = |uri: &str| {
            let request = Request::builder().method(Method::CONNECT).uri(uri);
            request.body(Empty::<Bytes>::new()).unwrap()
        };
        let hosted = |host: &'static str| {
            let mut request = get("https://example.com/");
            let host = HeaderValue::from_static(host);
            request.headers_mut().insert(HOST, host);
            request
        };

        for request in [
            connect("example.com:443"),
            connect("https://example.com/"),
            get("http://example.com/"),
            get("ftp://example.com/"),
            get("https://user@example.com/"),
            hosted("example.org"),
            hosted("example.com:8443"),
            hosted(""),
        ] {
            let uri = request.uri().clone();
            let error = ask(&client, request).await.unwrap_err();
            assert!(matches!(error, RequestError::InvalidRequest(_)), "{uri}");
        }

        cancel(peer.quic.accept_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn headers_larger_than_the_server_takes_are_not_sent() {
    within(async {
        const MAX_FIELD_SECTION_SIZE: u64 = 0x06;
        let settings = [&ENABLED[..], &[(MAX_FIELD_SECTION_SIZE, 250)]].concat();
        let (peer, client, _connector) = raw::server(&settings).await;
        let with = |len: usize| {
            let mut request = get("https://a/");
            let value = HeaderValue::from_bytes(&vec![b'x'; len]).unwrap();
            request.headers_mut().insert("y", value);
            request
        };
        // As RFC 9114 counts: names, values, and 32 bytes for each of five fields.
        let pseudo = ":methodGET:schemehttps:authoritya:path/".len();
        let room = 250 - pseudo - "y".len() - 5 * 32;

        let refused = ask(&client, with(room + 1)).await.unwrap_err();
        assert!(matches!(refused, RequestError::InvalidRequest(_)));
        cancel(peer.quic.accept_bi()).await;

        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.end(&raw::response("200")).await;
        };
        let (response, ()) = tokio::join!(ask(&client, with(room)), answer);
        assert_eq!(response.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn many_header_fields_of_one_name_arrive_in_order() {
    within(async {
        let mut pair = Pair::connect().await;
        let mut request = get("/");
        for value in ["a", "b", "c"] {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append("x-many", value);
        }
        let binary = HeaderValue::from_bytes(b"\xff\x80 \t~").unwrap();
        request.headers_mut().insert("x-binary", binary.clone());

        let head = pair.send(request).await;

        let many: Vec<_> = head.headers.get_all("x-many").into_iter().collect();
        assert_eq!(many, ["a", "b", "c"]);
        assert_eq!(head.headers["x-binary"], binary);
    })
    .await;
}

#[tokio::test]
async fn other_methods_are_sent_as_they_are() {
    within(async {
        let mut pair = Pair::connect().await;

        for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "x"] {
            let request = Request::builder().method(method).uri("/");
            let head = pair.send(request.body(full("a")).unwrap()).await;
            assert_eq!(head.method.as_str(), method);
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_as_a_whole_can_be_asked() {
    within(async {
        let mut pair = Pair::connect().await;
        let options = Request::options("*").body(Empty::<Bytes>::new());

        let head = pair.send(options.unwrap()).await;

        assert_eq!(head.uri.path(), "*");
    })
    .await;
}

#[tokio::test]
async fn a_servers_connection_sends_no_requests() {
    within(async {
        let pair = common::connected().await;

        let unready = ready(&mut pair.server.http()).await;
        let refused = pair.server.http().call(get("/")).await;

        assert!(matches!(unready, Err(RequestError::NotClient)));
        assert!(matches!(refused, Err(RequestError::NotClient)));
    })
    .await;
}

/// A client, and what its server sees.
struct Pair {
    client: Connection,
    seen: mpsc::Receiver<request::Parts>,
}

impl Pair {
    async fn connect() -> Self {
        let (see, seen) = mpsc::channel(1);
        let client = served(move |request: Request<Body>| {
            let see = see.clone();
            async move {
                see.send(request.into_parts().0).await.unwrap();
                Ok(Response::new(full("")))
            }
        });
        Self {
            client: client.await,
            seen,
        }
    }

    /// Sends a request, and gives the head that the server has seen.
    async fn send<B>(&mut self, request: Request<B>) -> request::Parts
    where
        B: http_body::Body<Data: Send, Error: Into<common::plain::BoxError>> + Send + 'static,
    {
        let response = ask(&self.client, request).await.unwrap();
        response.into_body().collect().await.unwrap();
        self.seen.recv().await.unwrap()
    }
}

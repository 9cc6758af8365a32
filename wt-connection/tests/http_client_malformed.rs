//! Responses that break HTTP/3's rules, and what they cost.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{cancel, once, within};
use common::plain::{
    Channel, Exchange, ask, bytes, converse, feed, get, next, post, ready, session,
};
use common::raw::{self, ENABLED, H3_MESSAGE_ERROR, Raw};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tower::Service;
use wt_connection::{Body, BodyError, Connection, ConnectionState, OpenError, RequestError};

#[tokio::test]
async fn a_body_of_another_length_than_told_is_malformed() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        for (told, content) in [("8", "content"), ("6", "content"), ("0", "c"), ("1", "")] {
            let fields = [(":status", "200"), ("content-length", told)];
            let data = raw::data(content.as_bytes());
            let response = [raw::headers(&fields), data].concat();

            let read = answered(&client, &peer, &response).await;

            assert_eq!(read.unwrap_err(), BodyError::Malformed, "{told}");
        }

        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn content_where_there_may_be_none_is_malformed() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let content = |status| [raw::response(status), raw::data(b"content")].concat();

        for status in ["204", "304"] {
            let read = answered(&client, &peer, &content(status)).await;
            assert_eq!(read.unwrap_err(), BodyError::Malformed, "{status}");
        }
        let head = Request::head("/").body(Empty::<bytes::Bytes>::new());
        let serve = async { Exchange::accept(&peer).await.end(&content("200")).await };
        let (response, ()) = tokio::join!(ask(&client, head.unwrap()), serve);
        let read = response.unwrap().into_body().collect().await;
        assert_eq!(read.unwrap_err(), BodyError::Malformed);

        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn frames_that_are_no_heads_cost_their_request_alone() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let large = "v".repeat(17 * 1024);

        for answer in [
            raw::response("200")[..3].to_vec(),
            raw::settings(&[]),
            raw::headers(&[(":status", "200"), ("large", &large)]),
            // A HEADERS frame of a mebibyte.
            vec![0x01, 0x80, 0x10, 0, 0],
        ] {
            let refused = refused(&client, &peer, &answer).await;

            assert!(matches!(refused, RequestError::Malformed), "{refused:?}");
            assert_eq!(client.state(), ConnectionState::Connected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_switch_of_protocols_is_no_response() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let switching = [raw::response("101"), raw::response("200")].concat();

        let refused = refused(&client, &peer, &switching).await;

        assert!(matches!(refused, RequestError::Malformed), "{refused:?}");
        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_body_longer_than_told_is_stopped() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let fields = [(":status", "200"), ("content-length", "7")];
        let (response, mut exchange) = begun(&client, &peer, &raw::headers(&fields)).await;
        let mut body = response.into_body();

        exchange.write(&raw::data(b"content")).await;
        assert_eq!(next(&mut body).await, "content");
        exchange.write(&raw::data(b"!")).await;

        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error, BodyError::Malformed);
        assert_eq!(exchange.stopped().await, H3_MESSAGE_ERROR);
        assert!(body.frame().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn trailers_before_all_that_was_told_are_no_end() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let fields = [(":status", "200"), ("content-length", "8")];
        let parts = [
            raw::headers(&fields),
            raw::data(b"content"),
            raw::headers(&[("x", "y")]),
        ];

        let read = answered(&client, &peer, &parts.concat()).await;

        assert_eq!(read.unwrap_err(), BodyError::Malformed);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_ends_inside_a_frame_is_malformed() {
    // h3 took such an end for that of the content, and panicked behind it.
    within(async {
        let whole = [raw::data(b"content"), raw::headers(&[("x", "y")])].concat();
        let after_content = raw::data(b"content").len();
        for cut in (1..whole.len()).filter(|cut| *cut != after_content) {
            let (peer, client, _connector) = raw::server(&ENABLED).await;
            let response = [&raw::response("200"), &whole[..cut]].concat();

            let read = answered(&client, &peer, &response).await;

            assert_eq!(read.unwrap_err(), BodyError::Malformed, "{cut}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_ends_inside_a_frame_after_a_pause_is_malformed() {
    within(async {
        for (begin, read) in [
            (&raw::data(b"content")[..6], 4),
            (&raw::data(b"content")[..2], 0),
            (&raw::data(b"content")[..1], 0),
            (&raw::headers(&[("x", "y")])[..4], 0),
        ] {
            let (peer, client, _connector) = raw::server(&ENABLED).await;
            let (response, mut exchange) = begun(&client, &peer, &raw::response("200")).await;
            let mut body = response.into_body();
            exchange.write(begin).await;
            if read > 0 {
                assert_eq!(next(&mut body).await.len(), read);
            }
            assert!(once(pin!(body.frame())).await.is_none());

            exchange.end(b"").await;

            let error = body.frame().await.unwrap().unwrap_err();
            assert_eq!(error, BodyError::Malformed, "{begin:x?}");
            assert!(body.frame().await.is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn frames_that_may_not_follow_make_a_body_malformed() {
    within(async {
        let trailers = raw::headers(&[("x", "y")]);
        for rest in [
            // CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, and one of HTTP/2's.
            raw::frame(0x03, &[0]),
            raw::settings(&[]),
            raw::frame(0x05, &[0, 0, 0]),
            raw::frame(0x07, &[0]),
            raw::frame(0x0d, &[0]),
            raw::frame(0x06, &[0; 8]),
            [&trailers[..], &trailers].concat(),
            [&trailers[..], &raw::data(b"late")].concat(),
            raw::frame(0x01, &[0, 0, 0xff, 0xff, 0xff]),
        ] {
            let (peer, client, _connector) = raw::server(&ENABLED).await;
            let parts = [&raw::response("200"), &raw::data(b"content"), &rest[..]];

            let read = answered(&client, &peer, &parts.concat()).await;

            assert_eq!(read.unwrap_err(), BodyError::Malformed, "{rest:x?}");
        }
    })
    .await;
}

#[tokio::test]
async fn frames_of_unknown_types_are_passed_over() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let unknown = raw::frame(0x21, &[7; 1000]);
        let parts = [
            &unknown,
            &raw::response("103"),
            &unknown,
            &raw::response("200"),
            &unknown,
            &raw::data(b"con"),
            &unknown,
            &raw::data(b"tent"),
            &raw::headers(&[("x", "y")]),
            &unknown,
        ];
        let response = parts.map(|part| &part[..]).concat();

        let read = answered(&client, &peer, &response).await;

        assert_eq!(read.unwrap(), "content");
        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_response_whose_head_is_wrong_costs_its_request_alone() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        for fields in [
            &[("x", "y")][..],
            &[(":status", "abc")],
            &[(":status", "2000")],
            &[(":status", "200"), ("Upper", "case")],
            &[(":status", "200"), ("content-length", "a")],
            &[(":status", "200"), ("content-length", "-1")],
            &[
                (":status", "200"),
                ("content-length", "1"),
                ("content-length", "2"),
            ],
        ] {
            let answer = raw::headers(fields);
            let error = refused(&client, &peer, &answer).await;
            assert!(matches!(error, RequestError::Malformed), "{fields:?}");
        }

        assert_eq!(client.state(), ConnectionState::Connected);
        let answer = [raw::response("200"), raw::data(b"content")].concat();
        let read = answered(&client, &peer, &answer).await;
        assert_eq!(read.unwrap(), "content");
    })
    .await;
}

#[tokio::test]
async fn a_response_without_headers_costs_requests_alone() {
    // What breaks the rules of a whole connection costs its sessions nothing.
    within(async {
        for answer in [
            Vec::new(),
            raw::data(b"content"),
            [raw::response("103"), raw::data(b"content")].concat(),
            raw::response("103"),
            raw::frame(0x01, &[0, 0, 0xff, 0xff, 0xff]),
            raw::frame(0x01, &[7, 7, 7]),
        ] {
            let (peer, client, _connector) = raw::server(&ENABLED).await;
            let (session, exchange) = session(&client, &peer).await;
            let mut http = client.http();
            let mut readied = client.http();
            ready(&mut readied).await.unwrap();

            let error = refused(&client, &peer, &answer).await;

            assert!(matches!(error, RequestError::Malformed), "{answer:x?}");
            assert_eq!(client.state(), ConnectionState::Draining);
            let unready = ready(&mut http).await;
            assert!(matches!(unready, Err(RequestError::Draining)));
            let called = readied.call(get("/")).await;
            assert!(matches!(called, Err(RequestError::Draining)));
            let unready = client.clone().ready().await.map(drop);
            assert!(matches!(unready, Err(OpenError::Draining)));
            assert!(!session.is_draining());
            converse(&session, &exchange, &peer).await;
            cancel(peer.quic.accept_bi()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn requests_under_way_complete_though_another_response_is_broken() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (feed_sent, sent) = Channel::new();
        let mut asked = pin!(ask(&client, post("/", sent)));
        assert!(once(asked.as_mut()).await.is_none());
        let mut waiting = Exchange::accept(&peer).await;
        let (response, mut reading) = begun(&client, &peer, &raw::response("200")).await;
        let mut body = response.into_body();
        reading.write(&raw::data(b"con")).await;
        assert_eq!(next(&mut body).await, "con");

        let error = refused(&client, &peer, b"").await;
        assert!(matches!(error, RequestError::Malformed));

        let rest = [raw::data(b"tent"), raw::headers(&[("x", "y")])].concat();
        reading.end(&rest).await;
        let rest = body.collect().await.unwrap();
        assert_eq!(rest.trailers().unwrap()["x"], "y");
        assert_eq!(rest.to_bytes(), "tent");
        let answer = [raw::response("200"), raw::data(b"content")].concat();
        waiting.end(&answer).await;
        let response = asked.await.unwrap();
        feed(&feed_sent, "sent").await;
        drop(feed_sent);
        assert_eq!(bytes(response.into_body()).await, "content");
        let arrived = waiting.recv.read_to_end(100).await.unwrap();
        assert_eq!(arrived, raw::data(b"sent"));
    })
    .await;
}

/// A request whose response has begun with these bytes.
async fn begun(client: &Connection, peer: &Raw, head: &[u8]) -> (Response<Body>, Exchange) {
    let answer = async {
        let mut exchange = Exchange::accept(peer).await;
        exchange.write(head).await;
        exchange
    };
    let (response, exchange) = tokio::join!(ask(client, get("/")), answer);
    (response.unwrap(), exchange)
}

/// Sends a request that is answered with these bytes, and reads the response's body.
async fn answered(
    client: &Connection,
    peer: &Raw,
    answer: &[u8],
) -> Result<bytes::Bytes, BodyError> {
    let response = exchange(client, peer, answer).await.unwrap();
    let collected = response.into_body().collect().await;
    collected.map(|collected| collected.to_bytes())
}

/// Sends a request to which these bytes are no answer.
async fn refused(client: &Connection, peer: &Raw, answer: &[u8]) -> RequestError {
    exchange(client, peer, answer).await.unwrap_err()
}

async fn exchange(
    client: &Connection,
    peer: &Raw,
    answer: &[u8],
) -> Result<Response<Body>, RequestError> {
    let serve = async { Exchange::accept(peer).await.end(answer).await };
    let (response, ()) = tokio::join!(ask(client, get("/")), serve);
    response
}

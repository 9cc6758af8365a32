//! Plain requests of a client's, and their responses.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::ready;
use std::pin::pin;

use bytes::Bytes;
use common::bounded::{once, within};
use common::plain::{
    Answer, Channel, Exchange, any, ask, bytes, content, feed, full, get, next, post, served,
};
use common::raw::{self, ENABLED};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Empty, Full};
use wt_connection::Body;

/// Answers with the request's body, and its trailers.
async fn echo(request: Request<Body>) -> Answer {
    Ok(Response::new(any(request.into_body())))
}

#[tokio::test]
async fn a_get_is_answered() {
    within(async {
        let connection = served(async |request: Request<Body>| {
            assert_eq!(request.method(), Method::GET);
            assert!(request.body().is_end_stream());
            Ok(Response::new(full(request.uri().path().to_owned())))
        });
        let connection = connection.await;

        let response = ask(&connection, get("/page")).await.unwrap();

        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.version(), http::Version::HTTP_3);
        assert_eq!(response.headers()[CONTENT_LENGTH], "5");
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(bytes(response.into_body()).await, "/page");
    })
    .await;
}

#[tokio::test]
async fn what_is_posted_arrives_whole() {
    within(async {
        let connection = served(echo).await;

        for len in [0, 1, 63, 64, 16_383, 16_384, 1 << 20] {
            let body = content(len);
            let request = post("/", Full::new(body.clone()));
            let response = ask(&connection, request).await.unwrap();
            assert!(bytes(response.into_body()).await == body, "{len}");
        }
    })
    .await;
}

#[tokio::test]
async fn sixteen_mebibytes_are_echoed() {
    within(async {
        let connection = served(echo).await;
        let body = content(16 << 20);

        let response = ask(&connection, post("/", Full::new(body.clone()))).await;

        assert!(bytes(response.unwrap().into_body()).await == body);
    })
    .await;
}

#[tokio::test]
async fn a_response_is_read_while_the_request_is_sent() {
    within(async {
        let connection = served(echo).await;
        let (send, body) = Channel::new();

        let response = ask(&connection, post("/", body)).await.unwrap();
        let mut echoed = response.into_body();
        for number in 0..100 {
            let chunk = format!("chunk {number}");
            feed(&send, chunk.clone()).await;
            assert_eq!(next(&mut echoed).await, chunk);
        }
        drop(send);

        assert!(echoed.frame().await.is_none());
        assert!(echoed.is_end_stream());
    })
    .await;
}

#[tokio::test]
async fn trailers_go_both_ways() {
    within(async {
        let connection = served(echo).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", HeaderValue::from_static("17"));
        for body in ["", "content"] {
            let sent =
                Full::new(Bytes::from(body)).with_trailers(ready(Some(Ok(trailers.clone()))));

            let response = ask(&connection, post("/", sent)).await.unwrap();
            let echoed = response.into_body().collect().await.unwrap();

            assert_eq!(echoed.trailers(), Some(&trailers), "{body}");
            assert_eq!(echoed.to_bytes(), body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_tells_the_length_of_content_that_is_not_sent() {
    within(async {
        let connection = served(async |_: Request<Body>| Ok(Response::new(full("content")))).await;
        let head = Request::head("/").body(Empty::<Bytes>::new()).unwrap();

        let response = ask(&connection, head).await.unwrap();

        assert_eq!(response.headers()[CONTENT_LENGTH], "7");
        assert_eq!(bytes(response.into_body()).await, "");
    })
    .await;
}

#[tokio::test]
async fn statuses_without_content_have_none() {
    within(async {
        let connection = served(async |request: Request<Body>| {
            let status = request.uri().path()[1..].parse::<u16>().unwrap();
            let builder = Response::builder().status(status);
            Ok(builder.header("etag", "x").body(full("unsent")).unwrap())
        });
        let connection = connection.await;

        for status in [204, 304] {
            let response = ask(&connection, get(&format!("/{status}"))).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["etag"], "x");
            assert_eq!(bytes(response.into_body()).await, "");
        }
    })
    .await;
}

#[tokio::test]
async fn a_304_may_tell_the_length_of_what_it_leaves_out() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            let fields = [(":status", "304"), ("content-length", "1000")];
            exchange.end(&raw::headers(&fields)).await;
        };

        let (response, ()) = tokio::join!(ask(&client, get("/")), answer);

        let response = response.unwrap();
        assert_eq!(response.headers()[CONTENT_LENGTH], "1000");
        assert_eq!(bytes(response.into_body()).await, "");
    })
    .await;
}

#[tokio::test]
async fn interim_responses_are_passed_over() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut asking = pin!(ask(&client, get("/")));
        assert!(once(asking.as_mut()).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;

        for _ in 0..3 {
            let hints = [(":status", "103"), ("link", "</style.css>")];
            exchange.write(&raw::headers(&hints)).await;
        }
        let last = [raw::response("200"), raw::data(b"content")].concat();
        exchange.end(&last).await;
        let response = asking.await.unwrap();

        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("link"));
        assert_eq!(bytes(response.into_body()).await, "content");
    })
    .await;
}

#[tokio::test]
async fn pieces_without_bytes_end_no_response() {
    // h3 took an empty DATA frame for the end of the content.
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let empty = raw::data(b"");
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.write(&raw::response("200")).await;
            exchange.write(&empty).await;
            for part in [b"con", b"ten"] {
                exchange.write(&raw::data(part)).await;
                exchange.write(&empty).await;
            }
            let end = [&raw::data(b"t"), &empty, &raw::headers(&[("x", "y")])[..]];
            exchange.end(&end.concat()).await;
        };

        let (response, ()) = tokio::join!(ask(&client, get("/")), answer);

        let whole = response.unwrap().into_body().collect().await.unwrap();
        assert_eq!(whole.trailers().unwrap()["x"], "y");
        assert_eq!(whole.to_bytes(), "content");
    })
    .await;
}

#[tokio::test]
async fn pieces_without_bytes_end_no_request() {
    within(async {
        let connection = served(echo).await;
        let (send, body) = Channel::new();
        let fill = async {
            for piece in ["", "con", "", "", "tent", ""] {
                feed(&send, piece).await;
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("x", HeaderValue::from_static("y"));
            send.send(Ok(Frame::trailers(trailers))).await.unwrap();
            drop(send);
        };

        let (response, ()) = tokio::join!(ask(&connection, post("/", body)), fill);

        let whole = response.unwrap().into_body().collect().await.unwrap();
        assert_eq!(whole.trailers().unwrap()["x"], "y");
        assert_eq!(whole.to_bytes(), "content");
    })
    .await;
}

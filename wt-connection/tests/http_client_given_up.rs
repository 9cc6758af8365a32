//! Requests and responses that either side gives up before their end.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::Pin;

use bytes::Bytes;
use common::bounded::{once, until, within};
use common::plain::{
    Channel, Exchange, any, ask, bytes, content, feed, full, get, next, post, served,
};
use common::raw::{self, ENABLED, H3_NO_ERROR, H3_REQUEST_CANCELLED, H3_REQUEST_REJECTED, Raw};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use quinn::VarInt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tower::{Service, ServiceExt};
use wt_connection::{Body, BodyError, Connection, ConnectionState, RequestError, Requesting};

#[tokio::test]
async fn a_requests_body_that_fails_fails_the_request() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let fill = async {
            let exchange = Exchange::accept(&peer).await;
            feed(&send, "some").await;
            send.send(Err("disk".into())).await.unwrap();
            exchange
        };

        let (response, mut exchange) = tokio::join!(ask(&client, post("/", body)), fill);

        let error = response.unwrap_err();
        let RequestError::Body(source) = error else {
            panic!("not the body's failure: {error}");
        };
        assert_eq!(source.to_string(), "disk");
        assert_eq!(exchange.reset().await, H3_REQUEST_CANCELLED);
        assert_eq!(exchange.stopped().await, H3_REQUEST_CANCELLED);
        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_requests_body_that_fails_looks_whole_to_no_server() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let connection = served(move |request: Request<Body>| {
            let tell = tell.clone();
            async move {
                let read = request.into_body().collect().await;
                tell.send(read.map(drop)).await.unwrap();
                Ok(Response::new(full("")))
            }
        });
        let connection = connection.await;
        let (send, body) = Channel::new();
        let fill = async {
            feed(&send, "some").await;
            send.send(Err("disk".into())).await.unwrap();
        };

        let (response, ()) = tokio::join!(ask(&connection, post("/", body)), fill);

        assert!(matches!(response, Err(RequestError::Body(_))));
        let code = H3_REQUEST_CANCELLED;
        assert_eq!(told.recv().await.unwrap(), Err(BodyError::Aborted { code }));
    })
    .await;
}

#[tokio::test]
async fn a_requests_body_that_fails_after_the_response_began_is_reset() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let (response, mut exchange) = begun(&client, &peer, post("/", body)).await;

        feed(&send, "some").await;
        send.send(Err("disk".into())).await.unwrap();

        assert_eq!(exchange.reset().await, H3_REQUEST_CANCELLED);
        exchange.end(&raw::data(b"content")).await;
        assert_eq!(bytes(response.into_body()).await, "content");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_dropped_is_cancelled() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let mut requesting = start(&client, post("/", body));
        assert!(once(Pin::new(&mut requesting)).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;

        drop(requesting);

        assert_eq!(exchange.reset().await, H3_REQUEST_CANCELLED);
        assert_eq!(exchange.stopped().await, H3_REQUEST_CANCELLED);
        assert!(send.is_closed());
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_sent_is_cancelled_when_it_is_dropped() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut requesting = start(&client, get("/"));
        assert!(once(Pin::new(&mut requesting)).await.is_none());
        let mut exchange = Exchange::accept(&peer).await;
        assert_eq!(exchange.recv.read_to_end(0).await.unwrap(), b"");

        drop(requesting);

        assert_eq!(exchange.stopped().await, H3_REQUEST_CANCELLED);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_was_never_polled_is_not_sent() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        drop(start(&client, get("/")));

        common::bounded::cancel(peer.quic.accept_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn a_response_that_is_dropped_gives_the_request_up() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let (response, mut exchange) = begun(&client, &peer, post("/", body)).await;

        drop(response);

        assert_eq!(exchange.stopped().await, H3_REQUEST_CANCELLED);
        assert_eq!(exchange.reset().await, H3_REQUEST_CANCELLED);
        send.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_response_read_in_part_gives_the_rest_up() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (response, mut exchange) = begun(&client, &peer, get("/")).await;
        let mut body = response.into_body();

        exchange.write(&raw::data(b"content")).await;
        assert_eq!(next(&mut body).await, "content");
        drop(body);

        assert_eq!(exchange.stopped().await, H3_REQUEST_CANCELLED);
    })
    .await;
}

#[tokio::test]
async fn a_response_that_was_read_leaves_the_rest_of_the_request_to_be_sent() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let (response, mut exchange) = begun(&client, &peer, post("/", body)).await;

        exchange.end(&raw::data(b"content")).await;
        assert_eq!(bytes(response.into_body()).await, "content");
        for _ in 0..3 {
            feed(&send, "more").await;
        }
        drop(send);

        let sent = exchange.recv.read_to_end(100).await.unwrap();
        assert_eq!(sent, raw::data(b"more").repeat(3));
    })
    .await;
}

#[tokio::test]
async fn a_server_may_answer_whole_without_reading_the_request() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let sent = Full::new(content(4 << 20));
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.recv.stop(code(H3_NO_ERROR)).unwrap();
            let answer = [raw::response("200"), raw::data(b"content")].concat();
            exchange.end(&answer).await;
        };

        let (response, ()) = tokio::join!(ask(&client, post("/", sent)), answer);

        assert_eq!(bytes(response.unwrap().into_body()).await, "content");
    })
    .await;
}

#[tokio::test]
async fn a_request_refused_before_its_response_says_why() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        for (reset, interim) in [
            (H3_REQUEST_REJECTED, false),
            (H3_REQUEST_CANCELLED, false),
            (0x102, false),
            (0x102, true),
            // One that HTTP/3 does not know.
            (0x3fff_ffff, false),
        ] {
            let refuse = async {
                let mut exchange = Exchange::accept(&peer).await;
                if interim {
                    exchange.write(&raw::response("103")).await;
                }
                exchange.recv.stop(code(reset)).unwrap();
                exchange.send.reset(code(reset)).unwrap();
            };
            let (response, ()) = tokio::join!(ask(&client, get("/")), refuse);
            match response.unwrap_err() {
                RequestError::Unprocessed => assert_eq!(reset, H3_REQUEST_REJECTED),
                RequestError::Aborted { code } => assert_eq!(code, reset),
                other => panic!("not refused: {other}"),
            }
        }

        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_response_that_is_reset_halfway_is_aborted() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;

        for reset in [0x102, H3_REQUEST_REJECTED] {
            let (response, mut exchange) = begun(&client, &peer, get("/")).await;
            let mut body = response.into_body();
            exchange.write(&raw::data(b"content")).await;
            assert_eq!(next(&mut body).await, "content");

            exchange.send.reset(code(reset)).unwrap();

            let error = body.frame().await.unwrap().unwrap_err();
            assert_eq!(error, BodyError::Aborted { code: reset });
            assert!(body.frame().await.is_none(), "nothing follows an error");
        }

        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn no_task_outlives_requests_that_are_given_up() {
    within(async {
        let connection =
            served(async |request: Request<Body>| Ok(Response::new(any(request.into_body()))));
        let connection = connection.await;
        ask(&connection, get("/")).await.unwrap();
        let before = Handle::current().metrics().num_alive_tasks();

        for polls in 0..20 {
            let (send, body) = Channel::new();
            send.try_send(Ok(Frame::data(Bytes::from("some")))).unwrap();
            let mut requesting = start(&connection, post("/", body));
            for _ in 0..polls {
                if let Some(response) = once(Pin::new(&mut requesting)).await {
                    response.unwrap();
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(requesting);
            send.closed().await;
        }

        until(|| Handle::current().metrics().num_alive_tasks() <= before).await;
        assert_eq!(connection.state(), ConnectionState::Connected);
    })
    .await;
}

fn start<B>(client: &Connection, request: Request<B>) -> Requesting
where
    B: http_body::Body<Data: Send, Error: Into<common::plain::BoxError>> + Send + 'static,
{
    client.http().call(request)
}

/// A request whose response has begun, with nothing of its content.
async fn begun<B>(
    client: &Connection,
    peer: &Raw,
    request: Request<B>,
) -> (Response<Body>, Exchange)
where
    B: http_body::Body<Data: Send, Error: Into<common::plain::BoxError>> + Send + 'static,
{
    let answer = async {
        let mut exchange = Exchange::accept(peer).await;
        exchange.write(&raw::response("200")).await;
        exchange
    };
    let (response, exchange) = tokio::join!(client.http().oneshot(request), answer);
    (response.unwrap(), exchange)
}

fn code(code: u64) -> VarInt {
    VarInt::from_u64(code).unwrap()
}

#[tokio::test]
async fn a_body_that_the_server_wants_no_more_of_is_let_go_of() {
    // A body with nothing to send was kept until the connection was over.
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let (send, body) = Channel::new();
        let (response, mut exchange) = begun(&client, &peer, post("/", body)).await;
        exchange.recv.stop(code(H3_NO_ERROR)).unwrap();
        exchange.end(&raw::data(b"content")).await;
        assert_eq!(bytes(response.into_body()).await, "content");

        send.closed().await;
    })
    .await;
}

//! Plain HTTP/3 beside the sessions of a connection that nobody serves: there is nothing to find.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::bounded::within;
use common::by_hand::{Client, Exchange};
use common::{raw, server_builder};
use http::{Method, Request, StatusCode};
use wt_connection::{Connection, Endpoint};

#[tokio::test]
async fn a_get_is_answered_with_404() {
    within(async {
        let unserved = Unserved::connect().await;

        let response = ask(&unserved.client, Method::GET, None).await;

        assert_eq!(response, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    within(async {
        let unserved = Unserved::connect().await;

        let requests = (0..50).map(|number| {
            let client = Arc::clone(&unserved.client);
            let body = (number % 2 == 0).then(|| Bytes::from(vec![7; 1000]));
            let method = match body {
                Some(_) => Method::POST,
                None => Method::GET,
            };
            tokio::spawn(async move { ask(&client, method, body).await })
        });
        let requests: Vec<_> = requests.collect();

        for request in requests {
            assert_eq!(request.await.unwrap(), StatusCode::NOT_FOUND);
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_nobody_wants_does_not_hold_up_the_answer() {
    within(async {
        let unserved = Unserved::connect().await;
        let mut stream = send(&unserved.client, Method::POST).await;

        // More than quinn's window, which nobody opens.
        let body = async {
            for _ in 0..64 {
                let chunk = Bytes::from(vec![7; 1 << 16]);
                if stream.send_data(chunk).await.is_err() {
                    break;
                }
            }
            stream
        };
        let mut stream = body.await;

        let response = stream.recv_response().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn sessions_live_beside_requests() {
    within(async {
        let unserved = Unserved::connect().await;
        let (mut connect, mut answer) = unserved.client.quic.open_bi().await.unwrap();
        connect.write_all(&raw::connect("/")).await.unwrap();
        let request = unserved.server.accept().await.unwrap();
        let session = request.accept().await.unwrap();
        let (_, block) = raw::read_frame(&mut answer).await;
        assert_eq!(raw::status(&block), "200");

        for _ in 0..10 {
            let response = ask(&unserved.client, Method::GET, None).await;
            assert_eq!(response, StatusCode::NOT_FOUND);
        }
        let (mut send, mut recv) = unserved.client.quic.open_bi().await.unwrap();
        let header = raw::bi_header(connect.id().into());
        send.write_all(&header).await.unwrap();
        send.write_all(b"question").await.unwrap();
        send.finish().unwrap();
        let mut stream = session.accept_bi().await.unwrap();
        let question = stream.recv.read_to_end(10).await.unwrap();
        stream.send.write_all(b"answer").await.unwrap();
        drop(stream);

        assert_eq!(question, b"question");
        assert_eq!(recv.read_to_end(10).await.unwrap(), b"answer");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_breaks_the_rules_costs_its_stream_alone() {
    within(async {
        let unserved = Unserved::connect().await;

        for request in [
            raw::headers(&[(":method", "GET")]),
            raw::headers(&[("x", "y")]),
            raw::headers(&[(":method", "CONNECT"), (":path", "/")]),
        ] {
            let (mut send, mut recv) = unserved.client.quic.open_bi().await.unwrap();
            send.write_all(&request).await.unwrap();
            send.finish().unwrap();
            match recv.read_to_end(1000).await {
                Ok(answer) => assert_eq!(raw::status(&answer[2..]), "404"),
                Err(error) => assert!(matches!(
                    error,
                    quinn::ReadToEndError::Read(quinn::ReadError::Reset(_))
                )),
            }
        }

        let response = ask(&unserved.client, Method::GET, None).await;
        assert_eq!(response, StatusCode::NOT_FOUND);
        assert!(unserved.client.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_request_given_up_costs_its_stream_alone() {
    within(async {
        let unserved = Unserved::connect().await;

        for _ in 0..10 {
            let mut stream = send(&unserved.client, Method::POST).await;
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
        }

        let response = ask(&unserved.client, Method::GET, None).await;
        assert_eq!(response, StatusCode::NOT_FOUND);
    })
    .await;
}

/// A client by hand, on a connection of ours that nobody serves.
struct Unserved {
    client: Arc<Client>,
    server: Connection,
    /// The endpoint stays open as long as the connection is of use.
    _endpoint: Endpoint,
}

impl Unserved {
    async fn connect() -> Self {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
        let (server, client) = tokio::join!(accept, Client::connect(&endpoint, &identity));
        Self {
            client: Arc::new(client),
            server,
            _endpoint: endpoint,
        }
    }
}

async fn send(client: &Client, method: Method) -> Exchange {
    let request = Request::builder().method(method).uri("/page");
    client.send(request.body(()).unwrap()).await
}

async fn ask(client: &Client, method: Method, body: Option<Bytes>) -> StatusCode {
    let mut stream = send(client, method).await;
    if let Some(body) = body {
        // The answer may be there before the body is sent.
        let _ = stream.send_data(body).await;
    }
    let _ = stream.finish().await;
    let status = stream.recv_response().await.unwrap().status();
    while stream.recv_data().await.unwrap().is_some() {}
    status
}

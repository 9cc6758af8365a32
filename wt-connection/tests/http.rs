//! Plain HTTP/3 beside the sessions, asked for by h3's own client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;

use bytes::Bytes;
use common::bounded::within;
use common::raw::{self, quic_client};
use common::server_builder;
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use http::{Method, Request, StatusCode};
use wt_connection::{Connection, Endpoint};

#[tokio::test]
async fn a_get_is_answered_with_404() {
    within(async {
        let mut client = Client::connect().await;

        let response = ask(&mut client.http, Method::GET, None).await;

        assert_eq!(response, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    within(async {
        let client = Client::connect().await;

        let requests = (0..50).map(|number| {
            let mut http = client.http.clone();
            let body = (number % 2 == 0).then(|| Bytes::from(vec![7; 1000]));
            let method = match body {
                Some(_) => Method::POST,
                None => Method::GET,
            };
            tokio::spawn(async move { ask(&mut http, method, body).await })
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
        let mut client = Client::connect().await;
        let mut stream = send(&mut client.http, Method::POST).await;

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
        let mut client = Client::connect().await;
        let (mut connect, mut answer) = client.quic.open_bi().await.unwrap();
        connect.write_all(&raw::connect("/")).await.unwrap();
        let request = client.server.accept().await.unwrap();
        let session = request.accept().await.unwrap();
        let (_, block) = raw::read_frame(&mut answer).await;
        assert_eq!(raw::status(&block), "200");

        for _ in 0..10 {
            let response = ask(&mut client.http, Method::GET, None).await;
            assert_eq!(response, StatusCode::NOT_FOUND);
        }
        let (mut send, mut recv) = client.quic.open_bi().await.unwrap();
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
        let mut client = Client::connect().await;

        for request in [
            raw::headers(&[(":method", "GET")]),
            raw::headers(&[("x", "y")]),
            raw::headers(&[(":method", "CONNECT"), (":path", "/")]),
        ] {
            let (mut send, mut recv) = client.quic.open_bi().await.unwrap();
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

        let response = ask(&mut client.http, Method::GET, None).await;
        assert_eq!(response, StatusCode::NOT_FOUND);
        assert!(client.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_request_given_up_costs_its_stream_alone() {
    within(async {
        let mut client = Client::connect().await;

        for _ in 0..10 {
            let mut stream = send(&mut client.http, Method::POST).await;
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
        }

        let response = ask(&mut client.http, Method::GET, None).await;
        assert_eq!(response, StatusCode::NOT_FOUND);
    })
    .await;
}

/// h3's client, on a connection with a server of ours.
struct Client {
    http: SendRequest<OpenStreams, Bytes>,
    quic: quinn::Connection,
    server: Connection,
    /// The endpoints stay open as long as the client is of use.
    _endpoints: (Endpoint, quinn::Endpoint),
}

impl Client {
    async fn connect() -> Self {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
        let connect = async {
            let (quic, socket) = quic_client(&endpoint, &identity).await;
            let http = h3::client::new(h3_quinn::Connection::new(quic.clone())).await;
            (http.unwrap(), quic, socket)
        };
        let (server, ((mut driver, http), quic, socket)) = tokio::join!(accept, connect);
        // It ends with the connection.
        tokio::spawn(async move { poll_fn(|cx| driver.poll_close(cx)).await });
        Self {
            http,
            quic,
            server,
            _endpoints: (endpoint, socket),
        }
    }
}

type Exchange = RequestStream<BidiStream<Bytes>, Bytes>;

async fn send(http: &mut SendRequest<OpenStreams, Bytes>, method: Method) -> Exchange {
    let request = Request::builder()
        .method(method)
        .uri("https://localhost/page")
        .body(())
        .unwrap();
    http.send_request(request).await.unwrap()
}

async fn ask(
    http: &mut SendRequest<OpenStreams, Bytes>,
    method: Method,
    body: Option<Bytes>,
) -> StatusCode {
    let mut stream = send(http, method).await;
    if let Some(body) = body {
        // The answer may be there before the body is sent.
        let _ = stream.send_data(body).await;
    }
    let _ = stream.finish().await;
    let status = stream.recv_response().await.unwrap().status();
    while stream.recv_data().await.unwrap().is_some() {}
    status
}

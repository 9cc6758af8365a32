//! Plain HTTP/3 with peers by hand, of h3 over quinn, as clients and as servers.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::ready;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use common::bounded::{cancel, within};
use common::by_hand::{self, Client, trailers};
use common::plain::{
    Answer, AnyBody, Channel, any, ask, bytes, content, feed, full, get, next, post,
};
use common::{raw, server_builder};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::task::JoinSet;
use tower::service_fn;
use wt_connection::{Body, Server, Upgrade};

/// Echoes what is posted, with its trailers, and serves sessions; answers others with their path.
async fn app(mut request: Request<Body>) -> Answer {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move { drop(session.await.unwrap().closed().await) });
        return Ok(Response::new(full("")));
    }
    match *request.method() {
        Method::POST => Ok(Response::new(any(request.into_body()))),
        Method::DELETE => Err("no".into()),
        Method::PUT => Ok(Response::new(pieces())),
        _ => Ok(Response::new(full(request.uri().path().to_owned()))),
    }
}

/// Content with pieces that have no bytes.
fn pieces() -> AnyBody {
    let (send, body) = Channel::new();
    tokio::spawn(async move {
        for piece in ["", "con", "", "tent", ""] {
            feed(&send, piece).await;
        }
    });
    any(body)
}

/// Their client, at a server of ours.
async fn client() -> Client {
    let (identity, builder) = server_builder();
    let endpoint = builder.bind().unwrap();
    tokio::spawn(Server::new(endpoint.clone()).serve(service_fn(app)));
    Client::connect(&endpoint, &identity).await
}

#[tokio::test]
async fn their_requests_are_answered() {
    within(async {
        let client = client().await;

        let response = client.ask(head(Method::GET, "/page"), None).await;
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.into_body(), "/page");
        let response = client.ask(head(Method::HEAD, "/page"), None).await;
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.into_body(), "");
        for len in [0, 1, 16_384, 1 << 20] {
            let sent = content(len);
            let response = client.ask(head(Method::POST, "/"), sent.clone()).await;
            assert!(response.into_body() == sent, "{len}");
        }
    })
    .await;
}

#[tokio::test]
async fn their_client_reads_past_pieces_without_bytes() {
    // It took an empty DATA frame for the end of the content.
    within(async {
        let client = client().await;

        let response = client.ask(head(Method::PUT, "/"), None).await;

        assert_eq!(response.into_body(), "content");
    })
    .await;
}

#[tokio::test]
async fn their_trailers_are_echoed() {
    within(async {
        let client = client().await;
        let mut stream = client.send(head(Method::POST, "/")).await;

        stream.send_data("content".into()).await.unwrap();
        stream.send_trailers(trailers()).await.unwrap();
        stream.finish().await.unwrap();

        stream.recv_response().await.unwrap();
        assert_eq!(by_hand::content(&mut stream).await, "content");
        assert_eq!(stream.recv_trailers().await.unwrap(), Some(trailers()));
    })
    .await;
}

#[tokio::test]
async fn their_responses_begin_before_their_requests_end() {
    within(async {
        let client = client().await;
        let mut stream = client.send(head(Method::POST, "/")).await;
        stream.recv_response().await.unwrap();

        for number in 0..100 {
            let chunk = Bytes::from(format!("chunk {number}"));
            stream.send_data(chunk.clone()).await.unwrap();
            let mut echoed = stream.recv_data().await.unwrap().unwrap();
            assert_eq!(echoed.copy_to_bytes(echoed.remaining()), chunk);
        }
        stream.finish().await.unwrap();

        assert!(stream.recv_data().await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_thousand_requests_of_theirs_at_once_get_their_own_answers() {
    within(async {
        let client = Arc::new(client().await);
        let (mut connect, mut answer) = client.quic.open_bi().await.unwrap();
        connect.write_all(&raw::connect("/")).await.unwrap();
        let (_, block) = raw::read_frame(&mut answer).await;
        assert_eq!(raw::status(&block), "200");

        let mut asking = JoinSet::new();
        for number in 0..1000 {
            let client = Arc::clone(&client);
            asking.spawn(async move {
                let sent = Bytes::from(format!("{number};").repeat(number % 100));
                let response = client.ask(head(Method::POST, "/"), sent.clone()).await;
                assert!(response.into_body() == sent);
            });
        }

        asking.join_all().await;
        cancel(connect.stopped()).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_learns_that_a_service_failed() {
    within(async {
        let client = client().await;
        let mut stream = client.send(head(Method::DELETE, "/")).await;
        stream.finish().await.unwrap();

        let error = stream.recv_response().await.unwrap_err();

        let code = h3::error::Code::H3_INTERNAL_ERROR;
        assert!(matches!(
            error,
            h3::error::StreamError::RemoteTerminate { code: found, .. } if found == code
        ));
        let response = client.ask(head(Method::GET, "/"), None).await;
        assert_eq!(response.into_body(), "/");
    })
    .await;
}

#[tokio::test]
async fn their_server_answers_requests() {
    within(async {
        let connection = by_hand::echo().await;

        let response = ask(&connection, get("/page?query")).await.unwrap();
        assert_eq!(response.headers()["x-path"], "/page");
        assert_eq!(bytes(response.into_body()).await, "");
        for len in [0, 1, 16_384, 1 << 20] {
            let sent = content(len);
            let request = post("/", Full::new(sent.clone()));
            let response = ask(&connection, request).await.unwrap();
            assert!(bytes(response.into_body()).await == sent, "{len}");
        }
    })
    .await;
}

#[tokio::test]
async fn their_server_echoes_trailers() {
    within(async {
        let connection = by_hand::echo().await;
        let sent = Full::new(Bytes::from("content")).with_trailers(ready(Some(Ok(trailers()))));

        let response = ask(&connection, post("/", sent)).await.unwrap();

        let echoed = response.into_body().collect().await.unwrap();
        assert_eq!(echoed.trailers(), Some(&trailers()));
        assert_eq!(echoed.to_bytes(), "content");
    })
    .await;
}

#[tokio::test]
async fn their_server_answers_before_requests_end() {
    within(async {
        let connection = by_hand::echo().await;
        let (send, body) = Channel::new();
        let response = ask(&connection, post("/", body)).await.unwrap();
        let mut echoed = response.into_body();

        for piece in ["one", "", "two"] {
            feed(&send, piece).await;
            if !piece.is_empty() {
                assert_eq!(next(&mut echoed).await, piece);
            }
        }
        drop(send);

        assert!(echoed.frame().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn their_server_answers_a_thousand_requests_at_once() {
    within(async {
        let connection = by_hand::echo().await;
        let session = connection.open("/session").await.unwrap();

        let mut asking = JoinSet::new();
        for number in 0..1000 {
            let connection = connection.clone();
            asking.spawn(async move {
                let path = format!("/{number}");
                let sent = Bytes::from(format!("{number};").repeat(number % 100));
                let request = post(&path, Full::new(sent.clone()));
                let response = ask(&connection, request).await.unwrap();
                assert_eq!(response.headers()["x-path"], path);
                assert!(bytes(response.into_body()).await == sent);
            });
        }

        asking.join_all().await;
        session.send_datagram("still open").unwrap();
    })
    .await;
}

fn head(method: Method, path: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(path);
    request.body(()).unwrap()
}

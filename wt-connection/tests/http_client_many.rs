//! Many requests at once on one connection, beside its sessions.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use bytes::Bytes;
use common::bounded::within;
use common::plain::{Answer, any, ask, bytes, content, full, get, post, served};
use common::{connector, server_builder, target};
use http::{Request, Response};
use http_body_util::Full;
use tokio::task::JoinSet;
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, Server, Session, Transport, Upgrade};

/// Echoes what is posted and what sessions send; answers other requests with 64 KiB.
async fn app(mut request: Request<Body>) -> Answer {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            while let Ok(mut stream) = session.accept_bi().await {
                let question = stream.recv.read_to_end(100).await.unwrap();
                stream.send.write_all(&question).await.unwrap();
            }
        });
        return Ok(Response::new(full("")));
    }
    Ok(Response::new(match *request.method() {
        http::Method::POST => any(request.into_body()),
        _ => full(content(LARGE)),
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_get_their_own_answers_beside_sessions() {
    within(async {
        let connection = served(app).await;
        let sessions = [
            connection.open("/").await.unwrap(),
            connection.open("/").await.unwrap(),
        ];

        let mut asking = JoinSet::new();
        for number in 0..1000 {
            let connection = connection.clone();
            asking.spawn(async move {
                let body = Bytes::from(format!("{number};").repeat(number % 100));
                let request = post("/", Full::new(body.clone()));
                let response = ask(&connection, request).await.unwrap();
                assert!(bytes(response.into_body()).await == body);
            });
        }
        for number in 0..20 {
            converse(&sessions[number % 2], format!("{number}").as_bytes()).await;
        }
        assert!(!asking.is_empty());

        asking.join_all().await;
    })
    .await;
}

#[tokio::test]
async fn a_thousand_responses_that_nobody_reads_hold_nobody_up() {
    within(async {
        let connection = served(app).await;
        let session = connection.open("/").await.unwrap();
        // More than is read ahead of whoever reads; all of it is within the connection's window.
        let body = content(2000);

        let mut unread = Vec::new();
        for _ in 0..1000 {
            let request = post("/", Full::new(body.clone()));
            unread.push(ask(&connection, request).await.unwrap());
        }
        converse(&session, b"question").await;

        for response in unread {
            assert!(bytes(response.into_body()).await == body);
        }
    })
    .await;
}

#[tokio::test]
async fn responses_that_are_dropped_give_the_connections_window_back() {
    within(async {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let target = target(&endpoint);
        tokio::spawn(Server::new(endpoint).serve(service_fn(app)));
        let narrow = Transport::default().receive_windows(WINDOW, WINDOW);
        let connector = connector(&identity).transport(narrow);
        let connection = connector.oneshot(target).await.unwrap();
        let session = connection.open("/").await.unwrap();

        for _ in 0..4 * WINDOW as usize / LARGE {
            drop(ask(&connection, get("/")).await.unwrap());
        }
        converse(&session, b"question").await;
        let response = ask(&connection, get("/")).await.unwrap();

        assert!(bytes(response.into_body()).await == content(LARGE));
    })
    .await;
}

#[tokio::test]
async fn requests_that_the_server_does_not_read_give_its_window_back() {
    within(async {
        let (identity, builder) = server_builder();
        let narrow = Transport::default().receive_windows(WINDOW, WINDOW);
        let endpoint = builder.transport(narrow).bind().unwrap();
        let target = target(&endpoint);
        let app = service_fn(async |_: Request<Body>| Answer::Ok(Response::new(full("no"))));
        tokio::spawn(Server::new(endpoint).serve(app));
        let connection = connector(&identity).oneshot(target).await.unwrap();

        let body = content(LARGE);
        for _ in 0..4 * WINDOW as usize / LARGE {
            let request = post("/", Full::new(body.clone()));
            let response = ask(&connection, request).await.unwrap();
            assert_eq!(bytes(response.into_body()).await, "no");
        }
    })
    .await;
}

/// Has `question` echoed on a stream of its own.
async fn converse(session: &Session, question: &[u8]) {
    let mut stream = session.open_bi().await.unwrap();
    stream.send.write_all(question).await.unwrap();
    stream.send.finish().unwrap();
    assert_eq!(stream.recv.read_to_end(100).await.unwrap(), question);
}

const LARGE: usize = 1 << 16;
/// How much a connection takes ahead of whoever reads.
const WINDOW: u32 = 1 << 18;

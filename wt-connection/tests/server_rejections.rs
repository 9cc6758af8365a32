//! Sessions that a service, or the server before it, rejects.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};

use common::bounded::within;
use common::raw::{self, H3_REQUEST_CANCELLED, data, reset_code};
use common::serve::{
    BoxError, Chunks, End, Guard, H3_INTERNAL_ERROR, Reply, Served, content, from_fn, get, reply,
    text,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::{Service, ServiceExt, service_fn};
use wt_connection::{Body, Connection, Limits, OpenError, Origins, Session, Upgrade, UpgradeError};

#[tokio::test]
async fn a_rejection_arrives_with_its_headers_and_its_body() {
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |mut request: Request<Body>| {
            let upgrade = Upgrade::of(&mut request).unwrap();
            let (session, tell) = (upgrade.session(), tell.clone());
            upgrade.spawn(async move { tell.send(session.await.map(drop)).await.unwrap() });
            async {
                let response = Response::builder()
                    .status(429)
                    .header("retry-after", "7")
                    .header("connection", "close");
                Ok(response.body(content("too many"))?)
            }
        });
        let client = served.client().await;
        let peer = served.raw().await;

        let response = rejected(client.open("/").await);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["content-length"], "8");
        assert!(!response.headers().contains_key("connection"));
        let outcome = told.recv().await.unwrap();
        let status = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(outcome, Err(UpgradeError::Rejected(status)));

        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        let (_, block) = raw::read_frame(&mut recv).await;
        assert_eq!(raw::status(&block), "429");
        assert_eq!(recv.read_to_end(100).await.unwrap(), data(b"too many"));
    })
    .await;
}

#[tokio::test]
async fn a_rejection_frees_its_place_at_once() {
    within(async {
        let served = Served::set(
            Limits::default().max_sessions(1),
            |server| server,
            service_fn(|request: Request<Body>| async move {
                let mut response = reply("no");
                *response.status_mut() = match request.uri().path() {
                    "/redirect" => StatusCode::FOUND,
                    _ => StatusCode::FORBIDDEN,
                };
                Ok::<_, BoxError>(response)
            }),
        );
        let client = served.client().await;

        for _ in 0..20 {
            assert_eq!(rejected(client.open("/").await).status(), 403);
            assert_eq!(rejected(client.open("/redirect").await).status(), 302);
        }
    })
    .await;
}

#[tokio::test]
async fn a_rejection_whose_body_breaks_off_does_not_look_whole() {
    // One that broke off by a panic ended in order.
    within(async {
        let (tell, told) = mpsc::channel::<&'static str>(1);
        let told = Arc::new(Mutex::new(told));
        let served = Served::by(move |_| {
            let told = Arc::clone(&told);
            let body = from_fn(move |cx| {
                let next = ready!(told.lock().unwrap().poll_recv(cx));
                match next {
                    Some("fails") => Poll::Ready(Some(Err("the body is no more".into()))),
                    Some("panics") => panic!("a body's, which is to be survived"),
                    begun => Poll::Ready(begun.map(|text| Ok(text.into()))),
                }
            });
            let response = Response::builder().status(403);
            async move { Ok(response.body(body.boxed_unsync())?) }
        });
        let peer = served.raw().await;

        for end in ["fails", "panics"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&raw::connect("/")).await.unwrap();
            tell.send("begun").await.unwrap();
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "403");
            assert_eq!(raw::read_frame(&mut recv).await, (0, b"begun".to_vec()));

            tell.send(end).await.unwrap();

            assert_eq!(reset_code(&mut recv).await, H3_INTERNAL_ERROR, "{end}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rejection_that_is_wanted_no_more_drops_its_body() {
    // It was kept until the connection was over.
    within(async {
        let (tell, mut told) = mpsc::channel(1);
        let served = Served::by(move |_| {
            let guard = Guard(tell.clone());
            let body = Chunks::new(10, 1, End::Never).map_frame(move |frame| {
                let _ = &guard;
                frame
            });
            let response = Response::builder().status(403);
            async move { Ok(response.body(body.boxed_unsync())?) }
        });
        let peer = served.raw().await;
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "403");

        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        recv.stop(code).unwrap();

        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_comes_to_no_handler() {
    within(async {
        let (served, mut told) = taking(Origins::default());
        let mut client = served.client().await;

        let rejected = rejected(from(&mut client, "https://elsewhere.example").await);

        assert_eq!(rejected.status(), StatusCode::FORBIDDEN);
        assert!(told.try_recv().is_err());
        // Other requests are nobody's business.
        let request = Request::get("/").header("origin", "https://elsewhere.example");
        let request = request.body(content("")).unwrap();
        let response = client.http().oneshot(request).await.unwrap();
        assert_eq!(text(response).await, "plain");
    })
    .await;
}

#[tokio::test]
async fn pages_of_the_same_authority_and_whoever_is_no_page_may_ask() {
    within(async {
        let (served, mut told) = taking(Origins::default());
        let mut client = served.client().await;
        let port = common::address(&served.endpoint).port();

        from(&mut client, &format!("https://localhost:{port}"))
            .await
            .unwrap();
        assert_eq!(told.recv().await.unwrap(), "/");
        client.open("/no-page").await.unwrap();
        assert_eq!(told.recv().await.unwrap(), "/no-page");
        assert_eq!(text(get(&client, "/").await.unwrap()).await, "plain");
    })
    .await;
}

#[tokio::test]
async fn only_pages_that_are_listed_may_ask_or_any() {
    within(async {
        for (origins, listed, other) in [
            (Origins::list(["https://app.example"]), true, false),
            (Origins::any(), true, true),
            (Origins::list([""; 0]), false, false),
        ] {
            let (served, _told) = taking(origins);
            let mut client = served.client().await;

            let listed_is_in = from(&mut client, "https://app.example").await.is_ok();
            let other_is_in = from(&mut client, "https://other.example").await.is_ok();

            assert_eq!((listed_is_in, other_is_in), (listed, other));
            client.open("/no-page").await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_connect_for_another_protocol_is_not_implemented() {
    within(async {
        let (served, mut told) = taking(Origins::default());
        let peer = served.raw().await;

        for protocol in ["websocket", "connect-udp"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&raw::connect_by(protocol, "/"))
                .await
                .unwrap();

            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "501");
            assert_eq!(recv.read_to_end(10).await.unwrap(), b"");
        }

        assert!(told.try_recv().is_err());
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

/// A server whose handler takes every session, and tells their paths.
fn taking(origins: Origins) -> (Served, mpsc::Receiver<String>) {
    let (tell, told) = mpsc::channel(10);
    let service = service_fn(move |mut request: Request<Body>| {
        let response: Result<Reply, BoxError> = Ok(reply("plain"));
        if let Some(upgrade) = Upgrade::of(&mut request) {
            tell.try_send(request.uri().path().to_owned()).unwrap();
            let session = upgrade.session();
            upgrade.spawn(async move {
                session.await.unwrap().closed().await;
            });
        }
        async { response }
    });
    let served = Served::set(Limits::default(), |s| s.origins(origins), service);
    (served, told)
}

/// Asks for a session as a page of this origin.
async fn from(client: &mut Connection, origin: &str) -> Result<Session, OpenError> {
    let request = Request::get("/").header("origin", origin).body(()).unwrap();
    let opened = client.ready().await.unwrap().call(request).await;
    opened.map(Response::into_body)
}

fn rejected(opened: Result<Session, OpenError>) -> Box<Response<()>> {
    match opened {
        Err(OpenError::Rejected(response)) => response,
        other => panic!("not rejected: {other:?}"),
    }
}

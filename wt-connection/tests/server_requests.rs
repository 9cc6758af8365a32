//! What a handler says, and what the client gets.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use common::bounded::within;
use common::serve::{
    BoxError, H3_INTERNAL_ERROR, Reply, Served, content, from_fn, get, post, reply, status, text,
};
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};
use tower::{Service, ServiceExt, service_fn};
use wt_connection::{Body, BodyError, Connection, Limits, RequestError, Upgrade};

#[tokio::test]
async fn a_head_has_the_headers_of_a_get_and_no_content() {
    within(async {
        let served = Served::by(|_| async { Ok(reply("12345")) });
        let client = served.client().await;

        let head = Request::head("/").body(content("")).unwrap();
        let response = client.http().oneshot(head).await.unwrap();

        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(text(response).await, "");
        assert_eq!(text(get(&client, "/").await.unwrap()).await, "12345");
    })
    .await;
}

#[tokio::test]
async fn no_content_either_way_is_over_at_once() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let (parts, body) = request.into_parts();
            assert_eq!(body.size_hint().exact(), Some(0));
            assert_eq!(body.collect().await?.to_bytes(), "");
            let length = parts.headers.get("content-length");
            let length = length.map_or("none", |length| length.to_str().unwrap());
            let mut response = reply("");
            response.headers_mut().insert("x-length", length.parse()?);
            Ok(response)
        });
        let client = served.client().await;

        let posted = post(&client, "/", content("")).await.unwrap();
        let got = get(&client, "/").await.unwrap();

        assert_eq!(posted.headers()["x-length"], "0");
        assert_eq!(got.headers()["x-length"], "none");
        assert_eq!(got.headers()["content-length"], "0");
        assert!(got.body().is_end_stream());
        assert_eq!(text(posted).await, "");
    })
    .await;
}

#[tokio::test]
async fn a_status_without_content_has_none() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let mut response = reply("not for the client");
            *response.status_mut() = request.uri().path()[1..].parse()?;
            Ok(response)
        });
        let client = served.client().await;

        for number in [204, 304] {
            let response = get(&client, &format!("/{number}")).await.unwrap();

            assert_eq!(response.status(), number);
            assert!(!response.headers().contains_key("content-length"));
            assert_eq!(text(response).await, "");
        }
    })
    .await;
}

#[tokio::test]
async fn headers_that_speak_of_a_connection_are_left_out() {
    within(async {
        let served = Served::by(|_| async {
            let response = Response::builder()
                .header("connection", "close")
                .header("keep-alive", "timeout=5")
                .header("transfer-encoding", "chunked")
                .header("x-other", "stays");
            Ok(response.body(content("text"))?)
        });
        let client = served.client().await;

        let response = get(&client, "/").await.unwrap();

        let mut names: Vec<_> = response
            .headers()
            .keys()
            .map(|name| name.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "date", "x-other"]);
        assert_eq!(text(response).await, "text");
    })
    .await;
}

#[tokio::test]
async fn whoever_fails_costs_its_own_request_alone() {
    within(async {
        let slow = Arc::new(Notify::new());
        let held = Arc::clone(&slow);
        let served = Served::set(
            Limits::default(),
            |server| server,
            service_fn(move |request: Request<Body>| {
                assert_ne!(request.uri().path(), "/panics-in-call");
                fails(request, Arc::clone(&held))
            }),
        );
        let client = served.client().await;
        let session = client.open("/session").await.unwrap();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { text(get(&client, "/slow").await.unwrap()).await }
        });

        for path in ["/panics-in-call", "/panics", "/fails", "/interim", "/both"] {
            let error = get(&client, path).await.unwrap_err();
            assert!(
                matches!(error, RequestError::Aborted { code } if code == H3_INTERNAL_ERROR),
                "{path}: {error:?}"
            );
        }
        slow.notify_one();

        assert_eq!(waiting.await.unwrap(), "slow");
        session.send_datagram("question").unwrap();
        assert_eq!(session.read_datagram().await.unwrap(), "question");
    })
    .await;
}

async fn fails(mut request: Request<Body>, slow: Arc<Notify>) -> Result<Reply, BoxError> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            while let Ok(datagram) = session.read_datagram().await {
                session.send_datagram(datagram).unwrap();
            }
        });
        return Ok(reply(""));
    }
    match request.uri().path() {
        "/panics" => panic!("a handler's, which is to be survived"),
        "/fails" => Err("no".into()),
        "/interim" => Ok(status(103)),
        "/both" => Ok(status(101)),
        _ => {
            slow.notified().await;
            Ok(reply("slow"))
        }
    }
}

#[tokio::test]
async fn content_that_breaks_off_does_not_look_whole() {
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
            async { Ok(Response::new(body.boxed_unsync())) }
        });
        let client = served.client().await;

        for end in ["fails", "panics"] {
            tell.send("begun").await.unwrap();
            let mut response = get(&client, "/").await.unwrap();
            let begun = response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(begun.into_data().unwrap(), "begun");

            tell.send(end).await.unwrap();
            let error = response.into_body().collect().await.unwrap_err();

            let code = H3_INTERNAL_ERROR;
            assert_eq!(error, BodyError::Aborted { code }, "{end}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_maker_that_panics_costs_its_connection_alone() {
    // It ended the server.
    within(async {
        let served = Served::run(Limits::default(), |server| {
            let mut made = 0;
            let make = service_fn(move |_: Connection| {
                made += 1;
                assert_ne!(made, 2, "a maker's, which is to be survived");
                let service = service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(reply("")) });
                async move { Ok::<_, BoxError>(service) }
            });
            tokio::spawn(server.serve_make(make))
        });
        let first = served.client().await;
        assert_eq!(text(get(&first, "/").await.unwrap()).await, "");

        let second = served.client().await;
        second.closed().await;

        assert_eq!(text(get(&first, "/").await.unwrap()).await, "");
        let third = served.client().await;
        assert_eq!(text(get(&third, "/").await.unwrap()).await, "");
    })
    .await;
}

#[tokio::test]
async fn headers_that_the_client_does_not_take_cost_their_request_alone() {
    // They were sent, and cost the client its trust in the server.
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let large = request.uri().path() == "/large";
            let length = if large { 20_000 } else { 10_000 };
            let response = Response::builder().header("x-large", "x".repeat(length));
            Ok(response.body(content("text"))?)
        });
        let client = served.client().await;

        let error = get(&client, "/large").await.unwrap_err();

        let code = H3_INTERNAL_ERROR;
        assert!(
            matches!(error, RequestError::Aborted { code: aborted } if aborted == code),
            "{error:?}"
        );
        assert_eq!(text(get(&client, "/").await.unwrap()).await, "text");
    })
    .await;
}

#[tokio::test]
async fn a_service_that_panics_while_it_gets_ready_leaves_no_request_waiting() {
    // With a session open, nobody answered the requests on the connection any more.
    within(async {
        let served = Served::set(Limits::default(), |server| server, Panics { called: 0 });
        let client = served.client().await;
        let session = client.open("/").await.unwrap();

        for _ in 0..2 {
            assert!(get(&client, "/").await.is_err());
        }

        session.close(0, "");
        assert!(client.closed().await.is_orderly());
    })
    .await;
}

/// Keeps one session, and is never ready again.
#[derive(Clone)]
struct Panics {
    called: usize,
}

impl Service<Request<Body>> for Panics {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        assert_eq!(self.called, 0, "a service's, which is to be survived");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        self.called += 1;
        let session = Upgrade::of(&mut request).unwrap().session();
        tokio::spawn(async move { session.await.unwrap().closed().await });
        std::future::ready(Ok(reply("")))
    }
}

//! A tower service behind a server of ours, asked by our own client.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::convert::Infallible;

use bytes::Bytes;
use common::bounded::within;
use common::{connector, server_builder, target};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, BodyError, Connection, Peer, RequestError, Server, Upgrade};

type Reply = Response<BoxBody<Bytes, BodyError>>;

fn text(text: impl Into<Bytes>) -> BoxBody<Bytes, BodyError> {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

/// Echoes what is posted, and serves sessions that answer with a datagram.
async fn app(mut request: Request<Body>) -> Result<Reply, Infallible> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            session.send_datagram("welcome").unwrap();
            session.closed().await;
        });
        return Ok(Response::new(text("")));
    }
    let (parts, body) = request.into_parts();
    assert!(parts.extensions.get::<Connection>().is_some());
    assert!(parts.extensions.get::<Peer>().is_some());
    let body = match parts.method {
        Method::POST => body.boxed(),
        _ => text(parts.uri.path().to_owned()),
    };
    Ok(Response::new(body))
}

#[tokio::test]
async fn requests_and_sessions_share_a_connection() {
    within(async {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let target = target(&endpoint);
        tokio::spawn(Server::new(endpoint).serve(service_fn(app)));
        let connection = connector(&identity).oneshot(target).await.unwrap();

        let get = Request::get("/page").body(Empty::<Bytes>::new()).unwrap();
        let response = connection.http().oneshot(get).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-length"], "5");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "/page");

        let session = connection.open("/session").await.unwrap();
        assert_eq!(session.read_datagram().await.unwrap(), "welcome");

        let post = Request::post("/echo")
            .body(Full::new(Bytes::from(vec![7; 1 << 20])))
            .unwrap();
        let response = connection.http().oneshot(post).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), vec![7; 1 << 20]);
        session.close(1, "");
        session.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_dropped_leaves_no_request_waiting() {
    within(async {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let target = target(&endpoint);
        let serving = tokio::spawn(Server::new(endpoint).serve(service_fn(app)));
        let connection = connector(&identity).oneshot(target).await.unwrap();
        // Its handler keeps the connection open.
        let session = connection.open("/session").await.unwrap();
        assert_eq!(session.read_datagram().await.unwrap(), "welcome");

        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());

        let get = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        let refused = connection.http().oneshot(get).await.unwrap_err();
        assert!(
            matches!(refused, RequestError::Unprocessed | RequestError::Draining),
            "{refused:?}"
        );
        session.draining().await;
        session.close(1, "");
        assert!(session.closed().await.is_orderly());
    })
    .await;
}

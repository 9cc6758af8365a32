//! Clients that go, or want a response no more, while it is made.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::time::Duration;

use common::address;
use common::bounded::within;
use common::path::Path;
use common::raw::{self, H3_REQUEST_CANCELLED, data};
use common::serve::{BoxError, Guard, Reply, Served, get, reply};
use http::Request;
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, ConnectionState, Limits, Upgrade, UpgradeError};

#[tokio::test]
async fn a_request_that_is_given_up_drops_its_handler() {
    within(async {
        let (served, mut told) = waiting();
        let peer = served.raw().await;
        let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
        send.write_all(&raw::request("POST", "/", &[]))
            .await
            .unwrap();
        assert_eq!(told.recv().await, Some("begun"));

        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        send.reset(code).unwrap();
        recv.stop(code).unwrap();

        assert_eq!(told.recv().await, Some("dropped"));
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_request_that_breaks_off_tells_its_handler() {
    within(async {
        let (served, mut told) = waiting();
        let peer = served.raw().await;
        let (mut send, _recv) = peer.quic.open_bi().await.unwrap();
        let head = raw::request("POST", "/reads", &[]);
        send.write_all(&[head, data(b"some")].concat())
            .await
            .unwrap();
        assert_eq!(told.recv().await, Some("begun"));

        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        send.reset(code).unwrap();

        assert_eq!(told.recv().await, Some("aborted"));
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_given_up_before_its_handler_begins_harms_nobody() {
    within(async {
        let (served, mut told) = waiting();
        let peer = served.raw().await;
        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();

        for _ in 0..100 {
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&raw::request("POST", "/", &[]))
                .await
                .unwrap();
            send.reset(code).unwrap();
            recv.stop(code).unwrap();
        }
        // One that is shorter than it says ends the reading.
        let (mut send, _recv) = peer.quic.open_bi().await.unwrap();
        let head = raw::request("POST", "/reads", &[("content-length", "1")]);
        send.write_all(&head).await.unwrap();
        send.finish().unwrap();

        // Each that has begun is dropped.
        let (mut begun, mut dropped) = (0, 0);
        loop {
            match told.recv().await.unwrap() {
                "begun" => begun += 1,
                "dropped" => dropped += 1,
                _ => break,
            }
        }
        while dropped < begun {
            assert_eq!(told.recv().await, Some("dropped"));
            dropped += 1;
        }
        assert!(peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_closed_drops_its_handlers() {
    within(async {
        let (served, mut told) = waiting();
        let client = served.client().await;
        let _asked = tokio::spawn(get(&client, "/"));
        assert_eq!(told.recv().await, Some("begun"));

        client.close(0, "").await;

        assert_eq!(told.recv().await, Some("dropped"));
        assert_eq!(client.state(), ConnectionState::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_says_nothing_more_loses_its_handlers_in_time() {
    within(async {
        let (served, mut told) = waiting();
        let path = Path::to(address(&served.endpoint)).await;
        let connector = served.connector.clone();
        let connector = connector.max_idle_timeout(Some(Duration::from_millis(500)));
        let client = connector.oneshot(path.address.into()).await.unwrap();
        let _asked = tokio::spawn(get(&client, "/"));
        assert_eq!(told.recv().await, Some("begun"));

        path.swallow();

        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_says_nothing_more_holds_up_no_shutdown() {
    within(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, mut told) = mpsc::channel(10);
        let served = Served::set(
            Limits::default().flush_timeout(Duration::from_millis(200)),
            |server| {
                let server = server.shutdown_timeout(Duration::from_millis(200));
                server.shutdown_on(async {
                    let _ = stopped.await;
                })
            },
            service_fn(move |request| wait(request, Guard(tell.clone()))),
        );
        let path = Path::to(address(&served.endpoint)).await;
        let client = served.connector.clone().oneshot(path.address.into());
        let client = client.await.unwrap();
        let _asked = tokio::spawn(get(&client, "/"));
        assert_eq!(told.recv().await, Some("begun"));

        path.swallow();
        stop.send(()).unwrap();

        let report = served.serving.await.unwrap();
        assert_eq!((report.cut.len(), report.cut[0].requests), (1, 1));
        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_endpoint_is_gone_loses_its_handlers() {
    within(async {
        let (served, mut told) = waiting();
        let peer = served.raw().await;
        let (mut send, recv) = peer.quic.open_bi().await.unwrap();
        send.write_all(&raw::request("GET", "/", &[]))
            .await
            .unwrap();
        assert_eq!(told.recv().await, Some("begun"));

        drop((send, recv, peer));

        assert_eq!(told.recv().await, Some("dropped"));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_wanted_no_more_drops_its_handler_and_tells_its_taker() {
    within(async {
        let (served, mut told) = waiting();
        let peer = served.raw().await;
        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        assert_eq!(told.recv().await, Some("begun"));

        send.reset(code).unwrap();

        let mut both = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        both.sort_unstable();
        assert_eq!(both, ["dropped", "unanswered"]);
        assert_eq!(raw::reset_code(&mut recv).await, H3_REQUEST_CANCELLED);
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_connection_ends_drops_its_handler_and_tells_its_taker() {
    within(async {
        let (served, mut told) = waiting();
        let client = served.client().await;
        let opening = tokio::spawn({
            let client = client.clone();
            async move { client.open("/").await.map(drop) }
        });
        assert_eq!(told.recv().await, Some("begun"));

        client.close(0, "").await;

        let mut both = [told.recv().await.unwrap(), told.recv().await.unwrap()];
        both.sort_unstable();
        assert_eq!(both, ["dropped", "unanswered"]);
        assert!(opening.await.unwrap().is_err());
    })
    .await;
}

/// A server whose handlers never answer, and tell what becomes of them.
fn waiting() -> (Served, mpsc::Receiver<&'static str>) {
    let (tell, told) = mpsc::channel(500);
    let served = Served::by(move |request| wait(request, Guard(tell.clone())));
    (served, told)
}

async fn wait(mut request: Request<Body>, guard: Guard) -> Result<Reply, BoxError> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let (session, tell) = (upgrade.session(), guard.0.clone());
        upgrade.spawn(async move {
            if session
                .await
                .is_err_and(|error| error == UpgradeError::Unanswered)
            {
                tell.try_send("unanswered").unwrap();
            }
        });
    }
    guard.0.try_send("begun")?;
    if request.uri().path() == "/reads" {
        request.into_body().collect().await.unwrap_err();
        guard.0.try_send("aborted")?;
        return Ok(reply(""));
    }
    pending().await
}

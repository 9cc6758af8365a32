//! Requests that break the rules, written by hand, before a server of a tower service.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use bytes::Bytes;
use common::bounded::within;
use common::raw::{self, H3_MESSAGE_ERROR, Raw, data, frame, reset_code, stop_code};
use common::serve::{BoxError, H3_EXCESSIVE_LOAD, Reply, Served, reply};
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use wt_connection::{Body, BodyError, Upgrade};

const GREASE: u64 = 0x21;
const HEADERS: u64 = 0x01;

#[tokio::test]
async fn content_that_is_not_as_long_as_it_says_is_malformed() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;

        for (length, content) in [("5", "1234"), ("5", "123456"), ("0", "1"), ("1", "")] {
            let head = raw::request("POST", "/", &[("content-length", length)]);
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&[head, data(content.as_bytes())].concat())
                .await
                .unwrap();
            let _ = send.finish();

            assert_eq!(told.recv().await, Some(Err(BodyError::Malformed)));
            assert_eq!(
                reset_code(&mut recv).await,
                common::serve::H3_INTERNAL_ERROR
            );
        }

        still_serves(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn more_content_than_was_said_is_stopped() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;
        let (mut send, _recv) = peer.quic.open_bi().await.unwrap();

        let head = raw::request("POST", "/", &[("content-length", "5")]);
        send.write_all(&[head, data(b"123456")].concat())
            .await
            .unwrap();

        assert_eq!(stop_code(&send).await, H3_MESSAGE_ERROR);
        assert_eq!(told.recv().await, Some(Err(BodyError::Malformed)));
    })
    .await;
}

#[tokio::test]
async fn lengths_that_differ_come_to_no_handler() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;

        for lengths in [["5", "6"], ["5", "x"], ["-1", "-1"], ["", ""]] {
            let more = lengths.map(|length| ("content-length", length));
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&raw::request("POST", "/", &more))
                .await
                .unwrap();

            assert_eq!(reset_code(&mut recv).await, H3_MESSAGE_ERROR, "{lengths:?}");
            assert_eq!(stop_code(&send).await, H3_MESSAGE_ERROR, "{lengths:?}");
        }

        still_serves(&peer).await;
        assert!(told.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn heads_that_break_the_rules_come_to_no_handler() {
    // A second `:path` took the place of the first, and the pseudo header of a response was let
    // pass.
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;

        for head in [
            raw::headers(&[(":method", "POST")]),
            raw::headers(&[("x", "y")]),
            raw::headers(&[(":method", "CONNECT"), (":path", "/")]),
            raw::request("POST", "", &[]),
            raw::request("PO ST", "/", &[]),
            raw::request("POST", "/", &[("X-Upper", "case")]),
            raw::request("POST", "/", &[("x-line", "a\r\nb")]),
            raw::request("POST", "/", &[(":path", "/again")]),
            raw::request("POST", "/", &[("x", "y"), (":path", "/late")]),
            raw::request("POST", "/", &[(":protocol", "websocket")]),
            raw::request("POST", "/", &[("transfer-encoding", "chunked")]),
            raw::request("POST", "/", &[("host", "elsewhere")]),
            raw::request("POST", "/", &[(":unknown", "1")]),
            raw::request("POST", "/", &[(":status", "200")]),
        ] {
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&head).await.unwrap();
            send.finish().unwrap();

            let code = reset_code(&mut recv).await;
            assert_eq!(code, H3_MESSAGE_ERROR, "{}", String::from_utf8_lossy(&head));
        }

        still_serves(&peer).await;
        assert!(told.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn trailers_that_break_the_rules_cost_their_request_alone() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;
        let (mut slow, mut slow_answer) = peer.quic.open_bi().await.unwrap();
        slow.write_all(&raw::request("POST", "/slow", &[]))
            .await
            .unwrap();

        for trailers in [
            raw::headers(&[("X-Upper", "case")]),
            raw::headers(&[("x", "a\nb")]),
        ] {
            let head = raw::request("POST", "/", &[]);
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            let bytes = [&head, &data(b"some")[..], &trailers].concat();
            send.write_all(&bytes).await.unwrap();
            let _ = send.finish();

            let outcome = told.recv().await;
            assert_eq!(outcome, Some(Err(BodyError::Malformed)), "{trailers:x?}");
            reset_code(&mut recv).await;
            still_serves(&peer).await;
        }

        slow.write_all(&data(b"slow")).await.unwrap();
        slow.finish().unwrap();
        assert_eq!(told.recv().await, Some(Ok("slow".into())));
        assert_eq!(
            raw::status(&raw::read_frame(&mut slow_answer).await.1),
            "200"
        );
    })
    .await;
}

#[tokio::test]
async fn a_frame_that_means_nothing_is_left_out_as_it_comes() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;
        let (mut send, _recv) = peer.quic.open_bi().await.unwrap();
        let head = raw::request("POST", "/", &[]);
        let claims = [raw::varint(GREASE), raw::varint(8 << 20)].concat();

        let before = frame(GREASE, b"before");
        let bytes = [head, before, data(b"some"), claims].concat();
        send.write_all(&bytes).await.unwrap();
        // More than the server's window: it goes on only as what came is let go of.
        for _ in 0..8 {
            send.write_all(&vec![7; 1 << 20]).await.unwrap();
        }
        send.finish().unwrap();

        assert_eq!(told.recv().await, Some(Ok("some".into())));
        still_serves(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn trailers_larger_than_allowed_are_refused_before_they_come() {
    within(async {
        let (served, mut told) = reading();
        let peer = served.raw().await;
        let (mut send, _recv) = peer.quic.open_bi().await.unwrap();
        let head = raw::request("POST", "/", &[]);
        let claims = [raw::varint(HEADERS), raw::varint(1 << 30)].concat();

        send.write_all(&[head, data(b"some"), claims].concat())
            .await
            .unwrap();

        assert_eq!(stop_code(&send).await, H3_EXCESSIVE_LOAD);
        assert_eq!(told.recv().await, Some(Err(BodyError::Malformed)));
        still_serves(&peer).await;
    })
    .await;
}

/// A server whose handler reads what is posted, and tells what that comes to.
fn reading() -> (Served, mpsc::Receiver<Result<Bytes, BodyError>>) {
    let (tell, told) = mpsc::channel(1);
    let served = Served::by(move |request| read(request, tell.clone()));
    (served, told)
}

async fn read(
    mut request: Request<Body>,
    tell: mpsc::Sender<Result<Bytes, BodyError>>,
) -> Result<Reply, BoxError> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            while let Ok(datagram) = session.read_datagram().await {
                session.send_datagram(datagram).unwrap();
            }
        });
    } else if request.method() == Method::POST {
        let outcome = request
            .into_body()
            .collect()
            .await
            .map(|all| all.to_bytes());
        tell.send(outcome.clone()).await?;
        outcome?;
    }
    Ok(reply("fine"))
}

async fn still_serves(peer: &Raw) {
    let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
    send.write_all(&raw::request("GET", "/", &[]))
        .await
        .unwrap();
    send.finish().unwrap();
    assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
    assert_eq!(raw::read_frame(&mut recv).await, (0, b"fine".to_vec()));
    assert!(peer.quic.close_reason().is_none());
}

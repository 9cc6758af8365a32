//! Plain requests that break the rules of HTTP/3, by what has to go for it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::hostile::{Beside, Bystander, H3_FRAME_ERROR};
use common::plain::{Exchange, ask, get};
use common::raw::{self, Raw, data, frame, headers, read_frame, reset_code, status, stop_code};
use common::serve::{H3_FRAME_UNEXPECTED, H3_INTERNAL_ERROR};
use http_body_util::BodyExt;
use wt_connection::{BodyError, ConnectionState, Limits, RequestError};

const H3_DATAGRAM_ERROR: u64 = 0x33;
const QPACK_DECOMPRESSION_FAILED: u64 = 0x200;
const HEADERS: u64 = 0x01;

#[tokio::test]
async fn frames_that_may_not_follow_a_request_end_its_connection() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let trailers = headers(&[("x", "y")]);
        // CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, and HTTP/2's PING.
        let misplaced = [0x03, 0x04, 0x05, 0x07, 0x0d, 0x06].map(|ty| frame(ty, &[0]));
        let late = [
            [&trailers[..], &data(b"more")].concat(),
            [&trailers[..], &trailers].concat(),
        ];
        for bytes in misplaced.iter().chain(&late) {
            let (peer, _beside) = bystander.client().await;

            let _streams = post(&peer, bytes).await;

            let code = peer.close_code().await;
            assert_eq!(code, H3_FRAME_UNEXPECTED, "{bytes:x?}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_ends_inside_a_frame_ends_its_connection() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (content, trailers) = (data(b"content"), headers(&[("x", "y")]));
        let unknown = frame(0x21, b"unknown");
        for whole in [content, trailers, unknown] {
            for cut in [1, whole.len() - 1] {
                let (peer, _beside) = bystander.client().await;

                let (mut send, _recv) = post(&peer, &whole[..cut]).await;
                send.finish().unwrap();

                assert_eq!(peer.close_code().await, H3_FRAME_ERROR, "{whole:x?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn trailers_that_cannot_be_decoded_end_their_connection() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        // A reference into a table that has no entries, and a length beyond the end.
        for block in [&[0, 0, 0x80][..], &[0, 0, 0x27, 0xff]] {
            let (peer, _beside) = bystander.client().await;

            let (mut send, _recv) = post(&peer, &frame(HEADERS, block)).await;
            send.finish().unwrap();

            let code = peer.close_code().await;
            assert_eq!(code, QPACK_DECOMPRESSION_FAILED, "{block:x?}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_cut_off_inside_a_frame_costs_itself_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        let content = data(b"content");

        let (mut send, mut recv) = post(&peer, &content[..content.len() - 1]).await;
        // By then the handler reads it.
        beside.lives(&peer).await;
        send.reset(7_u8.into()).unwrap();

        assert_eq!(reset_code(&mut recv).await, H3_INTERNAL_ERROR);
        beside.lives(&peer).await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_datagram_for_a_plain_request_aborts_that_request_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        // One that waits for its content beside.
        let (mut other, mut answer) = post(&peer, &data(b"some")).await;

        let (send, mut recv) = post(&peer, &data(b"some")).await;
        peer.datagram(send.id().into(), b"datagram");

        assert_eq!(reset_code(&mut recv).await, H3_DATAGRAM_ERROR);
        assert_eq!(stop_code(&send).await, H3_DATAGRAM_ERROR);
        other.finish().unwrap();
        assert_eq!(status(&read_frame(&mut answer).await.1), "200");
        beside.lives(&peer).await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_datagram_that_overtakes_its_plain_request_aborts_it_too() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();

        peer.datagram(send.id().into(), b"datagram");
        placed(&peer, &beside).await;
        let request = raw::request("GET", "/", &[]);
        send.write_all(&request).await.unwrap();

        assert_eq!(reset_code(&mut recv).await, H3_DATAGRAM_ERROR);
        assert_eq!(stop_code(&send).await, H3_DATAGRAM_ERROR);
        beside.lives(&peer).await;
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn datagrams_for_requests_that_are_over_hurt_nobody() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, beside) = bystander.client().await;
        let (mut send, mut recv) = post(&peer, &data(b"some")).await;
        send.finish().unwrap();
        recv.read_to_end(1000).await.unwrap();

        peer.datagram(send.id().into(), b"datagram");

        placed(&peer, &beside).await;
        assert!(peer.quic.close_reason().is_none());
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_datagram_for_a_plain_request_of_ours_aborts_it_alone() {
    within(async {
        let bystander = Bystander::new(Limits::default()).await;
        let (peer, client, session, connect) = bystander.server().await;
        let early = async {
            let exchange = Exchange::accept(&peer).await;
            peer.datagram(exchange.send.id().into(), b"datagram");
            assert_eq!(exchange.stopped().await, H3_DATAGRAM_ERROR);
            exchange
        };
        let (refused, _exchange) = tokio::join!(ask(&client, get("/")), early);
        assert!(
            matches!(refused, Err(RequestError::Malformed)),
            "{refused:?}"
        );

        let late = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.write(&raw::response("200")).await;
            exchange
        };
        let (response, exchange) = tokio::join!(ask(&client, get("/")), late);
        let body = tokio::spawn(response.unwrap().into_body().collect());
        peer.datagram(exchange.send.id().into(), b"datagram");

        assert_eq!(exchange.stopped().await, H3_DATAGRAM_ERROR);
        assert_eq!(body.await.unwrap().unwrap_err(), BodyError::Malformed);
        assert_eq!(client.state(), ConnectionState::Connected);
        common::plain::converse(&session, &connect, &peer).await;
        bystander.unharmed().await;
    })
    .await;
}

/// Begins a request whose content is more than these frames.
async fn post(peer: &Raw, content: &[u8]) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, recv) = peer.quic.open_bi().await.unwrap();
    let head = raw::request("POST", "/", &[]);
    send.write_all(&[&head, content].concat()).await.unwrap();
    (send, recv)
}

/// Waits until the datagrams that were sent before are where they belong.
async fn placed(peer: &Raw, beside: &Beside) {
    peer.datagram(beside.id(), b"question");
    let answer = peer.quic.read_datagram().await.unwrap();
    assert!(answer.ends_with(b"question"));
}

//! What a session lets its peer send and open anew, said to a server by hand.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::flow::{DATA_BLOCKED, MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, Peer};
use wt_connection::Limits;

#[tokio::test]
async fn what_the_application_reads_is_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let mut sent = peer.raw.uni(peer.id(), &[7; 100]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        assert_eq!(received.read_chunk(49).await.unwrap().unwrap().len(), 49);
        assert_eq!(received.read_chunk(1).await.unwrap().unwrap().len(), 1);

        assert_eq!(peer.heard().await, (MAX_DATA, 150));
        sent.write_all(&[7; 50]).await.unwrap();
        sent.finish().unwrap();
        received.read_to_end(1000).await.unwrap();
        // At once or in two steps, as it was read.
        let (mut ty, mut limit) = peer.heard().await;
        if limit == 200 {
            (ty, limit) = peer.heard().await;
        }
        assert_eq!((ty, limit), (MAX_DATA, 250));
    })
    .await;
}

#[tokio::test]
async fn what_is_never_read_is_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 8, 8);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let mut reset = peer.raw.uni(peer.id(), &[7; 10]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        reset.reset(7_u8.into()).unwrap();
        let _ = received.read_to_end(1000).await;
        let (ty, reset) = peer.heard().await;
        assert!(ty == MAX_DATA && reset > 100);

        let _stopped = peer.raw.uni(peer.id(), &[7; 10]).await;
        let mut received = peer.session.accept_uni().await.unwrap();
        received.stop(7).unwrap();
        let (ty, stopped) = peer.heard().await;
        assert!(ty == MAX_DATA && stopped > reset);

        let _dropped = peer.raw.uni(peer.id(), &[7; 10]).await;
        drop(peer.session.accept_uni().await.unwrap());
        let (ty, dropped) = peer.heard().await;
        assert!(ty == MAX_DATA && dropped > stopped);
    })
    .await;
}

#[tokio::test]
async fn streams_that_are_over_make_room_for_others() {
    within(async {
        let limits = Limits::default().session_credit(100, 2, 2);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        let (_sent, _answer) = peer.raw.bi(peer.id(), b"").await;
        let stream = peer.session.accept_bi().await.unwrap();
        let (send, recv) = stream.split();
        drop(recv);
        drop(peer.raw.uni(peer.id(), b"").await);
        drop(peer.session.accept_uni().await.unwrap());
        // The other direction of the first is still of use.
        let heard = peer.heard_of(MAX_STREAMS_UNI).await;
        assert_eq!(heard, 3);
        drop(send);

        assert_eq!(peer.heard_of(MAX_STREAMS_BIDI).await, 3);
    })
    .await;
}

#[tokio::test]
async fn streams_that_stay_open_do_not_keep_others_out() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;
        let mut sent = Vec::new();
        let mut open = Vec::new();
        for _ in 0..4 {
            sent.push(peer.raw.uni(peer.id(), b"x").await);
            open.push(peer.session.accept_uni().await.unwrap());
        }

        drop(open.pop());

        assert_eq!(peer.heard_of(MAX_STREAMS_UNI).await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_is_blocked_is_told_of_whatever_there_is() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;
        // Most of it on a stream that nobody reads.
        let _unread = peer.raw.uni(peer.id(), &[7; 60]).await;
        let _first = peer.session.accept_uni().await.unwrap();
        let _sent = peer.raw.uni(peer.id(), &[7; 40]).await;
        let mut second = peer.session.accept_uni().await.unwrap();
        assert_eq!(second.read_chunk(40).await.unwrap().unwrap().len(), 40);

        peer.say(DATA_BLOCKED, 100).await;

        assert_eq!(peer.heard_of(MAX_DATA).await, 140);
    })
    .await;
}

#[tokio::test]
async fn streams_that_end_before_their_header_are_credit_again() {
    within(async {
        let limits = Limits::default().session_credit(100, 4, 4);
        let mut peer = Peer::with(limits, 10, 1, 1).await;

        for _ in 0..2 {
            let mut uni = peer.raw.quic.open_uni().await.unwrap();
            uni.reset(7_u8.into()).unwrap();
        }
        assert!(peer.heard_of(MAX_STREAMS_UNI).await >= 5);
        for _ in 0..2 {
            let (mut bi, _recv) = peer.raw.quic.open_bi().await.unwrap();
            bi.reset(7_u8.into()).unwrap();
        }

        assert!(peer.heard_of(MAX_STREAMS_BIDI).await >= 5);
    })
    .await;
}

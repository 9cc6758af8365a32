//! How often who waits for credit, or for a session's place, is woken and polled.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;
use std::pin::pin;

use common::bounded::{until, within};
use common::flow::{
    DATA_BLOCKED, MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI, Peer, STREAMS_BLOCKED_UNI, capsule,
};
use common::plain::{Exchange, converse, session};
use common::raw::{self, Raw, data};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::Service;
use wt_connection::Session;

#[tokio::test]
async fn who_waits_for_credit_is_woken_by_that_credit_alone() {
    within(async {
        let mut peer = Peer::new(10, 1, 1).await;
        let other = Other::open(&peer).await;
        let _bi = peer.session.open_bi().await.unwrap();
        let _there = peer.raw.quic.accept_bi().await.unwrap();
        let mut stream = peer.session.open_uni().await.unwrap();
        stream.write_all(&[7; 10]).await.unwrap();
        let session = peer.session.clone();

        let mut bi = task::spawn(session.open_bi());
        let mut uni = task::spawn(session.open_uni());
        let mut write = task::spawn(stream.write(&[7]));
        assert_pending!(bi.poll());
        assert_pending!(uni.poll());
        assert_pending!(write.poll());

        other.talk(&peer.raw, &session).await;
        // Not one of them more than before.
        peer.say(MAX_STREAMS_BIDI, 1).await;
        peer.say(MAX_STREAMS_UNI, 1).await;
        peer.say(MAX_DATA, 10).await;
        other.talk(&peer.raw, &session).await;
        assert_eq!(
            [bi.is_woken(), uni.is_woken(), write.is_woken()],
            [false; 3]
        );
        peer.say(MAX_STREAMS_BIDI, 2).await;
        until(|| bi.is_woken()).await;
        let _bi = assert_ready_ok!(bi.poll());
        let _there = peer.raw.quic.accept_bi().await.unwrap();
        other.talk(&peer.raw, &session).await;
        assert_eq!([uni.is_woken(), write.is_woken()], [false; 2]);
        peer.say(MAX_STREAMS_UNI, 2).await;
        until(|| uni.is_woken()).await;
        let _uni = assert_ready_ok!(uni.poll());
        other.talk(&peer.raw, &session).await;
        assert!(!write.is_woken());
        peer.say(MAX_DATA, 11).await;
        until(|| write.is_woken()).await;
        assert_eq!(assert_ready_ok!(write.poll()), 1);
    })
    .await;
}

#[tokio::test]
async fn a_writer_is_polled_once_for_each_credit() {
    within(async {
        let mut peer = Peer::new(1, 1, 1).await;
        let other = Other::open(&peer).await;
        let mut stream = peer.session.open_uni().await.unwrap();

        let writing = counted(async move {
            stream.write_all(&[7; 11]).await.unwrap();
            stream
        });
        let writing = tokio::spawn(writing);
        for limit in 1..11 {
            assert_eq!(peer.heard().await, (DATA_BLOCKED, limit));
            other.talk(&peer.raw, &peer.session).await;
            peer.say(MAX_DATA, limit + 1).await;
        }
        let (_stream, polls) = writing.await.unwrap();

        assert_eq!(polls, 1 + 10);
    })
    .await;
}

#[tokio::test]
async fn who_opens_streams_is_polled_once_for_each_that_may_be_opened() {
    within(async {
        let mut peer = Peer::new(10, 1, 1).await;
        let other = Other::open(&peer).await;
        let session = peer.session.clone();

        let opening = tokio::spawn(counted(async move {
            let mut open = Vec::new();
            for _ in 0..11 {
                open.push(session.open_uni().await.unwrap());
            }
            open
        }));
        for limit in 1..11 {
            assert_eq!(peer.heard().await, (STREAMS_BLOCKED_UNI, limit));
            other.talk(&peer.raw, &peer.session).await;
            peer.say(MAX_STREAMS_UNI, limit + 1).await;
        }
        let (_open, polls) = opening.await.unwrap();

        assert_eq!(polls, 1 + 10);
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_a_place_is_woken_by_the_end_of_a_session_alone() {
    within(async {
        let (peer, client, _connector) = raw::server(&raw::ENABLED).await;
        let (opened, mut exchange) = session(&client, &peer).await;
        let mut waiting = task::spawn(client.clone());
        assert_pending!(waiting.enter(|cx, mut client| client.poll_ready(cx)));

        for _ in 0..ROUNDS {
            converse(&opened, &exchange, &peer).await;
            there_and_back(&opened, &peer).await;
        }
        assert!(!waiting.is_woken());
        exchange.end(&[]).await;
        opened.closed().await;

        until(|| waiting.is_woken()).await;
        assert_ready_ok!(waiting.enter(|cx, mut client| client.poll_ready(cx)));
    })
    .await;
}

/// Another session of the same connection, which has all the credit that it wants.
struct Other {
    session: Session,
    exchange: Exchange,
}

impl Other {
    async fn open(peer: &Peer) -> Self {
        let (session, mut exchange) = peer.another().await;
        for ty in [MAX_DATA, MAX_STREAMS_BIDI, MAX_STREAMS_UNI] {
            exchange.write(&data(&capsule(ty, 1 << 20))).await;
        }
        Self { session, exchange }
    }

    /// Has streams and datagrams pass, and datagrams and streams of the peer's in `beside`, too.
    async fn talk(&self, peer: &Raw, beside: &Session) {
        for _ in 0..ROUNDS {
            converse(&self.session, &self.exchange, peer).await;
            there_and_back(beside, peer).await;
            let mut theirs = peer.uni(beside.id().into(), b"news").await;
            theirs.finish().unwrap();
            let mut news = beside.accept_uni().await.unwrap();
            assert_eq!(news.read_to_end(10).await.unwrap(), b"news");
        }
    }
}

/// A datagram of each side's.
async fn there_and_back(session: &Session, peer: &Raw) {
    session.send_datagram("question").unwrap();
    peer.quic.read_datagram().await.unwrap();
    peer.datagram(session.id().into(), b"answer");
    assert_eq!(session.read_datagram().await.unwrap(), "answer");
}

/// What a future comes to, and how often it was polled.
async fn counted<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    });
    (output.await, polls)
}

const ROUNDS: usize = 10;

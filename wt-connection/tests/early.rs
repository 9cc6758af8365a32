//! What arrives before its session is known, and after it is over.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{until, within};
use common::raw::{self, BUFFERED_STREAM_REJECTED, ENABLED, SESSION_GONE};
use wt_connection::Limits;

#[tokio::test]
async fn streams_and_datagrams_ahead_of_their_connect_are_delivered() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut connect, _recv) = peer.connect_stream().await;
        let id = connect.id().into();

        let (mut bi, _bi_recv) = peer.bi(id, b"bi").await;
        bi.finish().unwrap();
        let mut uni = peer.uni(id, b"uni").await;
        uni.finish().unwrap();
        peer.datagram(id, b"datagram");
        connect.write_all(&raw::connect("/")).await.unwrap();
        let session = server.accept().await.unwrap().accept().await.unwrap();

        let mut bi = session.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read_to_end(10).await.unwrap(), b"bi");
        let mut uni = session.accept_uni().await.unwrap();
        assert_eq!(uni.read_to_end(10).await.unwrap(), b"uni");
        assert_eq!(session.read_datagram().await.unwrap(), "datagram");
        assert_eq!(server.refused_early(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_arrives_while_the_connect_is_half_read_or_unanswered_is_delivered() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut connect, _recv) = peer.connect_stream().await;
        let id = connect.id().into();
        let headers = raw::connect("/");

        let (half, rest) = headers.split_at(headers.len() / 2);
        connect.write_all(half).await.unwrap();
        let mut first = peer.uni(id, b"first").await;
        first.finish().unwrap();
        connect.write_all(rest).await.unwrap();
        let request = server.accept().await.unwrap();
        let mut second = peer.uni(id, b"second").await;
        second.finish().unwrap();
        // Acknowledged, it has arrived.
        second.stopped().await.unwrap();
        let session = request.accept().await.unwrap();

        for expected in [&b"first"[..], b"second"] {
            let mut uni = session.accept_uni().await.unwrap();
            assert_eq!(uni.read_to_end(10).await.unwrap(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn early_streams_beyond_the_limit_are_refused_and_counted_and_the_others_live() {
    within(async {
        let limits = Limits::default().early_streams(2);
        let (_endpoint, peer, server) = raw::client(limits).await;
        let (mut connect, _recv) = peer.connect_stream().await;
        let id = connect.id().into();

        for kept in [&b"first"[..], b"second"] {
            peer.uni(id, kept).await.finish().unwrap();
        }
        // In this order: streams of one kind are taken in by their number.
        let refused = peer.uni(id, b"refused").await;
        let code = quinn::VarInt::from_u64(BUFFERED_STREAM_REJECTED).unwrap();
        assert_eq!(refused.stopped().await, Ok(Some(code)));
        let (refused_bi, mut refused_recv) = peer.bi(id, b"refused").await;

        assert_eq!(refused_bi.stopped().await, Ok(Some(code)));
        let reset = quinn::ReadError::Reset(code);
        assert_eq!(refused_recv.read(&mut [0]).await, Err(reset));
        assert_eq!(server.refused_early(), 2);
        connect.write_all(&raw::connect("/")).await.unwrap();
        let session = server.accept().await.unwrap().accept().await.unwrap();
        for kept in [&b"first"[..], b"second"] {
            let mut uni = session.accept_uni().await.unwrap();
            assert_eq!(uni.read_to_end(10).await.unwrap(), kept);
        }
    })
    .await;
}

#[tokio::test]
async fn early_datagrams_beyond_the_limit_are_dropped_and_counted() {
    within(async {
        let limits = Limits::default().early_datagrams(1);
        let (_endpoint, peer, server) = raw::client(limits).await;
        let (mut connect, _recv) = peer.connect_stream().await;
        let id = connect.id().into();

        peer.datagram(id, b"kept");
        peer.datagram(id, b"dropped");
        until(|| server.refused_early() == 1).await;
        connect.write_all(&raw::connect("/")).await.unwrap();
        let session = server.accept().await.unwrap().accept().await.unwrap();
        peer.datagram(id, b"next");

        assert_eq!(session.read_datagram().await.unwrap(), "kept");
        assert_eq!(session.read_datagram().await.unwrap(), "next");
    })
    .await;
}

#[tokio::test]
async fn room_for_early_streams_comes_back_with_the_session() {
    within(async {
        let limits = Limits::default().early_streams(1);
        let (_endpoint, peer, server) = raw::client(limits).await;
        for _ in 0..10 {
            let (mut connect, recv) = peer.connect_stream().await;
            let mut uni = peer.uni(connect.id().into(), b"kept").await;
            uni.finish().unwrap();
            connect.write_all(&raw::connect("/")).await.unwrap();
            let session = server.accept().await.unwrap().accept().await.unwrap();

            let mut uni = session.accept_uni().await.unwrap();
            assert_eq!(uni.read_to_end(10).await.unwrap(), b"kept");
            drop(recv);
        }
        assert_eq!(server.refused_early(), 0);
    })
    .await;
}

#[tokio::test]
async fn early_streams_of_a_session_that_is_rejected_are_refused_as_gone() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut connect, _recv) = peer.connect_stream().await;
        let uni = peer.uni(connect.id().into(), b"x").await;
        connect.write_all(&raw::connect("/")).await.unwrap();

        let request = server.accept().await.unwrap();
        request.reject(http::StatusCode::FORBIDDEN).await.unwrap();

        let code = quinn::VarInt::from_u64(SESSION_GONE).unwrap();
        assert_eq!(uni.stopped().await, Ok(Some(code)));
    })
    .await;
}

#[tokio::test]
async fn datagrams_for_a_session_that_was_rejected_take_up_nobodys_room() {
    within(async {
        let limits = Limits::default().early_datagrams(3);
        let (_endpoint, peer, server) = raw::client(limits).await;
        let (mut rejected, _recv) = peer.connect_stream().await;
        let gone = rejected.id().into();
        peer.datagram(gone, b"before");
        rejected.write_all(&raw::connect("/")).await.unwrap();
        let request = server.accept().await.unwrap();
        request.reject(http::StatusCode::FORBIDDEN).await.unwrap();

        for _ in 0..10 {
            peer.datagram(gone, b"behind");
        }
        let (mut connect, _recv) = peer.connect_stream().await;
        for _ in 0..3 {
            peer.datagram(connect.id().into(), b"early");
        }
        connect.write_all(&raw::connect("/")).await.unwrap();
        let session = server.accept().await.unwrap().accept().await.unwrap();

        for _ in 0..3 {
            assert_eq!(session.read_datagram().await.unwrap(), "early");
        }
        assert_eq!(server.refused_early(), 0);
    })
    .await;
}

#[tokio::test]
async fn early_streams_of_a_request_that_asks_for_no_session_are_refused_as_gone() {
    within(async {
        let (_endpoint, peer, _server) = raw::client(Limits::default()).await;
        let (mut request, _recv) = peer.connect_stream().await;
        let uni = peer.uni(request.id().into(), b"x").await;

        let get = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/"),
        ];
        request.write_all(&raw::headers(&get)).await.unwrap();

        let code = quinn::VarInt::from_u64(SESSION_GONE).unwrap();
        assert_eq!(uni.stopped().await, Ok(Some(code)));
    })
    .await;
}

#[tokio::test]
async fn streams_of_a_closed_session_are_refused_as_gone() {
    within(async {
        let mut peer = raw::session(Limits::default()).await;
        let id = peer.id();
        peer.send.finish().unwrap();
        peer.session.closed().await;

        let uni = peer.peer.uni(id, b"x").await;
        let (bi, mut recv) = peer.peer.bi(id, b"x").await;

        let code = quinn::VarInt::from_u64(SESSION_GONE).unwrap();
        assert_eq!(uni.stopped().await, Ok(Some(code)));
        assert_eq!(bi.stopped().await, Ok(Some(code)));
        let reset = quinn::ReadError::Reset(code);
        assert_eq!(recv.read(&mut [0]).await, Err(reset));
        assert_eq!(peer.connection.refused_early(), 0);
    })
    .await;
}

#[tokio::test]
async fn streams_of_a_session_that_cannot_be_end_the_connection() {
    within(async {
        for id in [1, 2, 3] {
            let peer = raw::session(Limits::default()).await;

            let _uni = peer.peer.uni(id, b"x").await;

            assert_eq!(peer.peer.close_code().await, H3_ID_ERROR);
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_server_sends_ahead_of_its_answer_is_kept() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let answer = async {
            let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
            let id = send.id().into();
            let mut uni = peer.uni(id, b"uni").await;
            uni.finish().unwrap();
            let (mut bi, bi_recv) = peer.bi(id, b"bi").await;
            bi.finish().unwrap();
            peer.datagram(id, b"datagram");
            uni.stopped().await.unwrap();
            bi.stopped().await.unwrap();
            send.write_all(&raw::response("200")).await.unwrap();
            (send, recv, bi_recv)
        };

        let (session, _streams) = tokio::join!(client.open("/"), answer);

        let session = session.unwrap();
        let mut uni = session.accept_uni().await.unwrap();
        assert_eq!(uni.read_to_end(10).await.unwrap(), b"uni");
        let mut bi = session.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read_to_end(10).await.unwrap(), b"bi");
        assert_eq!(session.read_datagram().await.unwrap(), "datagram");
    })
    .await;
}

#[tokio::test]
async fn capsules_behind_the_connect_are_held_until_it_is_answered() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;
        let (mut connect, _recv) = peer.connect_stream().await;

        let close = raw::data(&raw::close_capsule(7, b"at once"));
        let both = [raw::connect("/"), close].concat();
        connect.write_all(&both).await.unwrap();
        let session = server.accept().await.unwrap().accept().await.unwrap();

        let closed = session.closed().await;
        assert_eq!(closed.close().unwrap().code(), 7);
        assert_eq!(closed.close().unwrap().reason(), "at once");
    })
    .await;
}

const H3_ID_ERROR: u64 = 0x108;

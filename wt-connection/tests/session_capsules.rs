//! How a raw peer ends, drains and breaks a session, and what it sees of the end by this side.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{once, within};
use common::raw::{self, H3_MESSAGE_ERROR, H3_REQUEST_CANCELLED, RawSession, SESSION_GONE};
use wt_connection::{Limits, ReadError, SessionError, WriteError};

#[tokio::test]
async fn the_end_of_the_connect_stream_is_a_close_with_code_0() {
    within(async {
        let mut peer = peer().await;

        peer.send.finish().unwrap();

        assert_closed_by_peer(&peer, 0, "").await;
        assert_eq!(peer.recv.read_to_end(10).await.unwrap(), b"", "an end, too");
    })
    .await;
}

#[tokio::test]
async fn a_close_capsule_ends_the_session_before_the_stream_ends() {
    within(async {
        let mut peer = peer().await;

        let capsule = raw::close_capsule(7, b"over");
        peer.send.write_all(&raw::data(&capsule)).await.unwrap();

        assert_closed_by_peer(&peer, 7, "over").await;
        assert_eq!(peer.recv.read_to_end(10).await.unwrap(), b"", "an end, too");
    })
    .await;
}

#[tokio::test]
async fn a_close_capsule_may_arrive_in_pieces() {
    within(async {
        let mut peer = peer().await;

        let capsule = raw::close_capsule(7, b"over");
        for byte in capsule {
            round_trip(&peer).await;
            peer.send.write_all(&raw::data(&[byte])).await.unwrap();
        }

        assert_closed_by_peer(&peer, 7, "over").await;
    })
    .await;
}

#[tokio::test]
async fn a_reset_of_the_connect_stream_aborts_the_session() {
    within(async {
        let mut peer = peer().await;

        peer.send.reset(wire(H3_REQUEST_CANCELLED)).unwrap();

        let aborted = SessionError::Aborted {
            code: H3_REQUEST_CANCELLED,
        };
        assert_eq!(peer.session.closed().await, aborted);
        assert_lives(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn data_after_close_breaks_the_protocol_of_that_session_alone() {
    within(async {
        let mut peer = peer().await;

        let close = raw::close_capsule(7, b"over");
        let capsules = [close, raw::drain_capsule()].concat();
        peer.send.write_all(&raw::data(&capsules)).await.unwrap();

        assert_broken(&mut peer).await;
    })
    .await;
}

#[tokio::test]
async fn a_malformed_close_breaks_the_protocol_of_that_session_alone() {
    within(async {
        for capsule in [
            raw::frame(0x2843, &[0, 0, 0]),
            raw::close_capsule(7, &[b'x'; 1025]),
            raw::close_capsule(7, b"\xff"),
        ] {
            let mut peer = peer().await;

            peer.send.write_all(&raw::data(&capsule)).await.unwrap();

            assert_broken(&mut peer).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_end_within_a_capsule_breaks_the_protocol_of_that_session_alone() {
    within(async {
        let mut peer = peer().await;

        let capsule = raw::close_capsule(7, b"over");
        let part = raw::data(&capsule[..capsule.len() - 1]);
        peer.send.write_all(&part).await.unwrap();
        peer.send.finish().unwrap();

        assert_broken(&mut peer).await;
    })
    .await;
}

#[tokio::test]
async fn unknown_capsules_are_skipped_however_long_and_split_they_are() {
    within(async {
        let mut peer = peer().await;

        let grease = raw::frame(0x29 * 1000 + 0x17, b"grease");
        let empty = raw::frame(0x1234_5678_9abc, b"");
        let small = [grease, empty].concat();
        peer.send.write_all(&raw::data(&small)).await.unwrap();
        let huge = raw::frame(0x3f5a, &vec![1; 1 << 20]);
        for part in huge.chunks(1000) {
            peer.send.write_all(&raw::data(part)).await.unwrap();
        }
        let close = raw::close_capsule(7, b"over");
        peer.send.write_all(&raw::data(&close)).await.unwrap();

        assert_closed_by_peer(&peer, 7, "over").await;
    })
    .await;
}

#[tokio::test]
async fn unknown_frames_between_capsules_are_skipped() {
    within(async {
        let mut peer = peer().await;

        let grease = raw::frame(0x21, &[1; 100]);
        peer.send.write_all(&grease).await.unwrap();
        let close = raw::close_capsule(7, b"over");
        peer.send.write_all(&raw::data(&close)).await.unwrap();

        assert_closed_by_peer(&peer, 7, "over").await;
    })
    .await;
}

#[tokio::test]
async fn a_drain_capsule_drains_the_session_and_ends_nothing() {
    within(async {
        let mut peer = peer().await;
        let draining = peer.session.clone();
        let mut draining = pin!(draining.draining());
        assert!(once(draining.as_mut()).await.is_none());
        assert!(!peer.session.is_draining());

        let capsule = raw::data(&raw::drain_capsule());
        peer.send.write_all(&capsule).await.unwrap();
        draining.await;

        assert!(peer.session.is_draining());
        round_trip(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn a_close_resets_and_stops_each_stream_with_the_drafts_code() {
    within(async {
        let mut peer = peer().await;
        let (mut send, mut recv) = peer.peer.bi(peer.id(), b"x").await;
        let _accepted = peer.session.accept_bi().await.unwrap();
        let (mut unaccepted, mut unaccepted_recv) = peer.peer.bi(peer.id(), b"x").await;
        let _opened = peer.session.open_uni().await.unwrap();
        round_trip(&peer).await;

        peer.session.close(7, "over");

        for send in [&mut send, &mut unaccepted] {
            assert_eq!(send.stopped().await, Ok(Some(wire(SESSION_GONE))));
        }
        let mut control = peer.peer.quic.accept_uni().await.unwrap();
        assert_eq!(raw::read_varint(&mut control).await, 0);
        let mut opened = peer.peer.quic.accept_uni().await.unwrap();
        let reset = quinn::ReadToEndError::Read(quinn::ReadError::Reset(wire(SESSION_GONE)));
        for recv in [&mut recv, &mut unaccepted_recv, &mut opened] {
            assert_eq!(recv.read_to_end(10).await, Err(reset.clone()));
        }
        let close = raw::data(&raw::close_capsule(7, b"over"));
        assert_eq!(peer.recv.read_to_end(100).await.unwrap(), close);
    })
    .await;
}

#[tokio::test]
async fn a_close_resets_what_was_finished_and_has_not_arrived() {
    within(async {
        let peer = peer().await;
        let mut finished = peer.session.open_uni().await.unwrap();
        finished.write_all(b"too late").await.unwrap();
        finished.finish().unwrap();

        drop(finished);
        peer.session.close(7, "over");

        let _control = peer.peer.quic.accept_uni().await.unwrap();
        let mut finished = peer.peer.quic.accept_uni().await.unwrap();
        let reset = quinn::ReadToEndError::Read(quinn::ReadError::Reset(wire(SESSION_GONE)));
        assert_eq!(finished.read_to_end(100).await, Err(reset));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_goes_with_its_session_tells_how_the_session_ended() {
    // The resets overtake the capsule, and looked like resets of the application's without a code.
    within(async {
        let mut peer = peer().await;
        let (mut send, mut recv) = peer.peer.bi(peer.id(), b"x").await;
        let mut stream = peer.session.accept_bi().await.unwrap();
        stream.recv.read(&mut [0]).await.unwrap();
        let mut stopped = peer.session.open_uni().await.unwrap();
        let _control = peer.peer.quic.accept_uni().await.unwrap();
        let mut theirs = peer.peer.quic.accept_uni().await.unwrap();

        send.reset(wire(SESSION_GONE)).unwrap();
        recv.stop(wire(SESSION_GONE)).unwrap();
        theirs.stop(wire(SESSION_GONE)).unwrap();
        round_trip(&peer).await;
        let mut buf = [0];
        let mut read = pin!(stream.recv.read(&mut buf));
        let mut write = pin!(stream.send.write(b"x"));
        let mut stopped = pin!(stopped.stopped());
        assert!(once(read.as_mut()).await.is_none());
        assert!(once(write.as_mut()).await.is_none());
        assert!(once(stopped.as_mut()).await.is_none());
        let close = raw::data(&raw::close_capsule(7, b"over"));
        peer.send.write_all(&close).await.unwrap();

        let error = peer.session.closed().await;
        assert_eq!(read.await, Err(ReadError::Session(error.clone())));
        assert_eq!(write.await, Err(WriteError::Session(error.clone())));
        assert_eq!(stopped.await, Err(WriteError::Session(error)));
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_stream_is_gone_ends_though_the_peer_does_not_close_it() {
    // A read waited for the session's end, which never came.
    within(async {
        let peer = peer().await;
        let (mut send, _recv) = peer.peer.bi(peer.id(), b"x").await;
        let mut stream = peer.session.accept_bi().await.unwrap();
        stream.recv.read(&mut [0]).await.unwrap();

        send.reset(wire(SESSION_GONE)).unwrap();
        let read = stream.recv.read(&mut [0]).await;

        let code = SESSION_GONE;
        assert_eq!(
            read,
            Err(ReadError::Session(SessionError::Aborted { code }))
        );
    })
    .await;
}

async fn peer() -> RawSession {
    raw::session(Limits::default()).await
}

/// Waits until the peer's packets so far have been received.
async fn round_trip(peer: &RawSession) {
    peer.peer.datagram(peer.id(), b"");
    peer.session.read_datagram().await.unwrap();
}

async fn assert_closed_by_peer(peer: &RawSession, code: u32, reason: &str) {
    let SessionError::ClosedByPeer(close) = peer.session.closed().await else {
        panic!("not closed by the peer");
    };
    assert_eq!((close.code(), close.reason()), (code, reason));
    assert_lives(peer).await;
}

async fn assert_broken(peer: &mut RawSession) {
    let code = H3_MESSAGE_ERROR;
    assert_eq!(peer.session.closed().await, SessionError::Protocol { code });
    let reset = quinn::ReadToEndError::Read(quinn::ReadError::Reset(wire(code)));
    assert_eq!(peer.recv.read_to_end(10).await, Err(reset));
    assert_lives(peer).await;
}

/// Shows that the connection takes another session.
async fn assert_lives(peer: &RawSession) {
    let session = peer.another().await;
    let id = session.id().to_string().parse().unwrap();
    peer.peer.datagram(id, b"alive");
    assert_eq!(session.read_datagram().await.unwrap(), "alive");
}

fn wire(code: u64) -> quinn::VarInt {
    quinn::VarInt::from_u64(code).unwrap()
}

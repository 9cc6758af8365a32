//! How a stream is given up: the application's codes, and the peer's that are none.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::raw::{self, H3_REQUEST_CANCELLED};
use common::{Pair, connected, session};
use wt_connection::{Limits, ReadError, RecvStream, SendStream, Session, WriteError};

/// The first, the last, and those around the first gap in the wire's numbers.
const CODES: [u32; 6] = [0, 1, 29, 30, 31, u32::MAX];

#[tokio::test]
async fn a_reset_arrives_with_its_code() {
    within(async {
        let (client, server, _pair) = sessions().await;
        for code in CODES {
            let (mut send, mut recv) = stream(&client, &server).await;

            send.reset(code).unwrap();

            assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Reset(Some(code))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stop_arrives_with_its_code() {
    within(async {
        let (client, server, _pair) = sessions().await;
        for code in CODES {
            let (mut send, mut recv) = stream(&client, &server).await;

            recv.stop(code).unwrap();

            assert_eq!(send.stopped().await, Ok(Some(code)));
            assert_eq!(send.stopped().await, Ok(Some(code)));
            assert_eq!(send.write(b"x").await, Err(WriteError::Stopped(Some(code))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_with_a_code_of_nobodys_tells_none() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        for code in UNMAPPED {
            let mut send = peer.peer.uni(peer.id(), b"x").await;
            let mut recv = peer.session.accept_uni().await.unwrap();
            recv.read(&mut [0]).await.unwrap();

            send.reset(wire(code)).unwrap();

            assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Reset(None)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stop_with_a_code_of_nobodys_tells_none() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        for code in UNMAPPED {
            let mut send = peer.session.open_uni().await.unwrap();
            let mut recv = accept_raw(&peer).await;

            recv.stop(wire(code)).unwrap();

            assert_eq!(send.stopped().await, Err(WriteError::Stopped(None)));
            assert_eq!(send.write(b"x").await, Err(WriteError::Stopped(None)));
        }
    })
    .await;
}

#[tokio::test]
async fn the_codes_on_the_wire_are_those_of_the_draft() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        for (code, on_the_wire) in [
            (0, 0x52e4_a40f_a8db),
            (29, 0x52e4_a40f_a8f8),
            (30, 0x52e4_a40f_a8fa),
            (u32::MAX, 0x52e5_ac98_3162),
        ] {
            let mut send = peer.session.open_uni().await.unwrap();
            let mut recv = accept_raw(&peer).await;

            send.reset(code).unwrap();

            let reset = recv.read_to_end(10).await.unwrap_err();
            let expected = quinn::ReadError::Reset(wire(on_the_wire));
            assert_eq!(reset, quinn::ReadToEndError::Read(expected));
        }
    })
    .await;
}

#[tokio::test]
async fn a_finished_stream_that_the_peer_has_acknowledged_was_not_stopped() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let (mut send, _recv) = stream(&client, &server).await;

        send.write_all(b"all of it").await.unwrap();
        send.finish().unwrap();

        assert_eq!(send.stopped().await, Ok(None));
        assert_eq!(send.stopped().await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn a_reset_is_told_again_to_who_reads_again() {
    // A second read gave the end of the stream, as if it had ended in order.
    within(async {
        let (client, server, _pair) = sessions().await;
        let (mut send, mut recv) = stream(&client, &server).await;

        send.reset(7).unwrap();

        for _ in 0..3 {
            assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Reset(Some(7))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_stopped_by_this_side_cannot_be_read() {
    // It looked like one that had ended in order.
    within(async {
        let (client, server, _pair) = sessions().await;
        let (_send, mut recv) = stream(&client, &server).await;

        recv.stop(7).unwrap();

        assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Stopped));
        assert_eq!(recv.stop(8), Err(ReadError::Stopped));
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_arrived_with_its_header_can_be_stopped_and_is_then_not_read() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"with the header").await.unwrap();

        let mut recv = server.accept_uni().await.unwrap();
        recv.stop(7).unwrap();

        assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Stopped));
        assert_eq!(send.stopped().await, Ok(Some(7)));
    })
    .await;
}

#[tokio::test]
async fn a_stream_reset_by_this_side_is_not_waited_for() {
    // `stopped` waited for an acknowledgement that quinn does not tell of.
    within(async {
        let (client, server, _pair) = sessions().await;
        let (mut send, mut recv) = stream(&client, &server).await;

        send.reset(7).unwrap();
        assert_eq!(recv.read(&mut [0]).await, Err(ReadError::Reset(Some(7))));

        assert_eq!(send.stopped().await, Err(WriteError::Finished));
        assert_eq!(send.write(b"x").await, Err(WriteError::Finished));
        assert_eq!(send.reset(8), Err(WriteError::Finished));
    })
    .await;
}

#[tokio::test]
async fn a_stream_reset_and_dropped_holds_up_no_session() {
    // The session's end waited, in vain and for all of the flush timeout, for the reset stream.
    within(async {
        let (client, server, _pair) = sessions().await;
        let (mut send, _recv) = stream(&client, &server).await;

        send.reset(7).unwrap();
        drop((send, client));

        let closed = server.closed().await;
        assert_eq!(closed.close().unwrap().code(), 0);
    })
    .await;
}

/// Below the applications' codes, above them, in a gap of them, and HTTP/3's.
const UNMAPPED: [u64; 7] = [
    0,
    0x17,
    H3_REQUEST_CANCELLED,
    0x52e4_a40f_a8da,
    0x52e4_a40f_a8f9,
    0x52e5_ac98_3163,
    (1 << 62) - 1,
];

fn wire(code: u64) -> quinn::VarInt {
    quinn::VarInt::from_u64(code).unwrap()
}

/// The next stream of the server's, behind its header.
async fn accept_raw(peer: &raw::RawSession) -> quinn::RecvStream {
    loop {
        let mut recv = peer.peer.quic.accept_uni().await.unwrap();
        if raw::read_varint(&mut recv).await == 0x54 {
            assert_eq!(raw::read_varint(&mut recv).await, peer.id());
            return recv;
        }
        // The control stream, which ends the connection if it is dropped.
        tokio::spawn(async move { recv.received_reset().await });
    }
}

async fn sessions() -> (Session, Session, Pair) {
    let pair = connected().await;
    let (client, server) = session(&pair.client, &pair.server).await;
    (client, server, pair)
}

/// A stream from both ends, of which one byte has been read.
async fn stream(client: &Session, server: &Session) -> (SendStream, RecvStream) {
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"x").await.unwrap();
    let mut recv = server.accept_uni().await.unwrap();
    assert_eq!(recv.read(&mut [0]).await, Ok(Some(1)));
    (send, recv)
}

//! The header of a stream, which names its session: late, split, or never sent.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::raw;
use common::{connected, session};
use wt_connection::Limits;

#[tokio::test]
async fn a_header_that_arrives_byte_by_byte_is_read() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        let (mut bi, _recv) = peer.peer.quic.open_bi().await.unwrap();
        let mut uni = peer.peer.quic.open_uni().await.unwrap();

        bytewise(&mut bi, &raw::bi_header(peer.id()), &peer).await;
        bytewise(&mut uni, &raw::uni_header(peer.id()), &peer).await;
        bi.write_all(b"bi").await.unwrap();
        bi.finish().unwrap();
        uni.write_all(b"uni").await.unwrap();
        uni.finish().unwrap();

        let mut accepted = peer.session.accept_bi().await.unwrap();
        assert_eq!(accepted.recv.read_to_end(10).await.unwrap(), b"bi");
        let mut accepted = peer.session.accept_uni().await.unwrap();
        assert_eq!(accepted.read_to_end(10).await.unwrap(), b"uni");
    })
    .await;
}

#[tokio::test]
async fn streams_without_their_header_hold_up_nobody() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        let mut silent = peer.peer.quic.open_uni().await.unwrap();
        silent.write_all(&[0x40]).await.unwrap();
        let (mut silent_bi, _recv) = peer.peer.quic.open_bi().await.unwrap();
        silent_bi.write_all(&[0x40]).await.unwrap();

        let mut uni = peer.peer.uni(peer.id(), b"uni").await;
        uni.finish().unwrap();
        let (mut bi, _recv) = peer.peer.bi(peer.id(), b"bi").await;
        bi.finish().unwrap();

        let mut accepted = peer.session.accept_uni().await.unwrap();
        assert_eq!(accepted.read_to_end(10).await.unwrap(), b"uni");
        let mut accepted = peer.session.accept_bi().await.unwrap();
        assert_eq!(accepted.recv.read_to_end(10).await.unwrap(), b"bi");
    })
    .await;
}

#[tokio::test]
async fn a_stream_reset_before_its_header_was_sent_costs_nothing_else() {
    // The client took a server's stream without a header for a request, and closed the connection.
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        for (opener, accepter) in [(&client, &server), (&server, &client)] {
            let mut stream = opener.open_bi().await.unwrap();
            stream.send.reset(7).unwrap();
            let mut send = opener.open_uni().await.unwrap();
            send.reset(7).unwrap();
            drop((stream, send));

            opener.send_datagram(b"alive").unwrap();
            assert_eq!(accepter.read_datagram().await.unwrap(), "alive");
        }
        drop(server.open_bi().await.unwrap());
        assert!(client.accept_bi().await.is_ok());
    })
    .await;
}

/// Writes one byte a packet: each datagram that follows a byte has been received with it.
async fn bytewise(send: &mut quinn::SendStream, bytes: &[u8], peer: &raw::RawSession) {
    for byte in bytes {
        send.write_all(&[*byte]).await.unwrap();
        peer.peer.datagram(peer.id(), b"");
        peer.session.read_datagram().await.unwrap();
    }
}

//! Datagrams: their size, their queue, and whom they reach.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::bounded::{until, within};
use common::raw;
use common::{connected, connections, connector, server_builder, session};
use wt_connection::{Limits, SendDatagramError};

#[tokio::test]
async fn datagrams_pass_both_ways() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        client.send_datagram(b"up").unwrap();
        server.send_datagram(b"down").unwrap();

        assert_eq!(server.read_datagram().await.unwrap(), "up");
        assert_eq!(client.read_datagram().await.unwrap(), "down");
    })
    .await;
}

#[tokio::test]
async fn who_reads_what_is_there_lets_others_have_their_turn() {
    const MANY: usize = 1000;
    within(async {
        let limits = Limits::default().received_datagrams(MANY);
        let raw = raw::session(limits).await;
        for _ in 0..MANY {
            let datagram = [raw::varint(raw.id() / 4), vec![7]].concat();
            let sent = raw.peer.quic.send_datagram_wait(datagram.into());
            sent.await.unwrap();
        }
        let received = || raw.connection.quic().stats().frame_rx.datagram;
        until(|| received() == MANY as u64).await;
        // They are placed in the same turn as those, or in the next.
        for _ in 0..MANY {
            tokio::task::yield_now().await;
        }
        let turns = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&turns);
        tokio::spawn(async move {
            loop {
                other.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });

        let session = raw.session.clone();
        let reader = tokio::spawn(async move {
            for _ in 0..MANY {
                session.read_datagram().await.unwrap();
            }
        });
        reader.await.unwrap();

        assert!(turns.load(Ordering::Relaxed) > 2, "{turns:?} turns");
    })
    .await;
}

#[tokio::test]
async fn an_empty_datagram_is_one_too() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        client.send_datagram(b"").unwrap();

        assert_eq!(server.read_datagram().await.unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn a_datagram_of_the_greatest_size_passes_and_one_more_byte_does_not() {
    within(async {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        // The path's size stays what it is.
        let mut transport = quinn::TransportConfig::default();
        transport.mtu_discovery_config(None);
        let connector = connector(&identity).transport(transport);
        let (client, server) = connections(&endpoint, &connector).await;
        // From the 65th on, a datagram's prefix has two bytes.
        let mut sessions = Vec::new();
        for _ in 0..70 {
            sessions.push(session(&client, &server).await);
        }

        for (ours, theirs) in [&sessions[0], &sessions[69]] {
            let max = ours.max_datagram_size().unwrap();
            let longest = vec![7; max];
            let refused = ours.send_datagram(vec![8; max + 1]);
            ours.send_datagram(&longest).unwrap();

            assert_eq!(refused, Err(SendDatagramError::TooLarge { max }));
            assert_eq!(theirs.read_datagram().await.unwrap(), longest);
        }
        let [first, last] = [0, 69].map(|number| sessions[number].0.max_datagram_size());
        assert_eq!(first, last.map(|max| max + 1), "a longer id leaves less");
    })
    .await;
}

#[tokio::test]
async fn datagrams_that_nobody_reads_give_way_to_newer_ones_and_are_counted() {
    within(async {
        let peer = raw::session(Limits::default().received_datagrams(2)).await;

        for number in 0..5u8 {
            peer.peer.datagram(peer.id(), &[number]);
        }
        until(|| peer.session.dropped_datagrams() >= 3).await;

        assert_eq!(peer.session.read_datagram().await.unwrap(), [3][..]);
        assert_eq!(peer.session.read_datagram().await.unwrap(), [4][..]);
        assert_eq!(peer.session.dropped_datagrams(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_datagram_for_no_session_is_dropped_and_the_others_arrive() {
    within(async {
        let peer = raw::session(Limits::default()).await;
        // No session: a stream of the first session's.
        let (stream, _recv) = peer.peer.bi(peer.id(), b"x").await;
        let _accepted = peer.session.accept_bi().await.unwrap();

        peer.peer.datagram(stream.id().into(), b"astray");
        peer.peer.datagram(peer.id(), b"at home");

        assert_eq!(peer.session.read_datagram().await.unwrap(), "at home");
        assert_eq!(peer.connection.refused_early(), 0);
        assert!(peer.peer.quic.close_reason().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_datagram_for_a_closed_session_is_dropped_and_the_others_arrive() {
    within(async {
        let mut peer = raw::session(Limits::default()).await;
        let id = peer.id();
        peer.send.finish().unwrap();
        peer.session.closed().await;
        let (mut send, _recv) = peer.peer.connect_stream().await;
        send.write_all(&raw::connect("/second")).await.unwrap();
        let second = peer.connection.accept().await.unwrap();
        let second = second.accept().await.unwrap();

        peer.peer.datagram(id, b"late");
        peer.peer.datagram(send.id().into(), b"in time");

        assert_eq!(second.read_datagram().await.unwrap(), "in time");
        assert!(peer.session.read_datagram().await.is_err());
        assert_eq!(peer.connection.refused_early(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_datagram_without_a_session_id_ends_the_connection() {
    within(async {
        let peer = raw::session(Limits::default()).await;

        peer.peer.quic.send_datagram(vec![0xc0].into()).unwrap();

        assert_eq!(peer.peer.close_code().await, H3_DATAGRAM_ERROR);
    })
    .await;
}

const H3_DATAGRAM_ERROR: u64 = 0x33;

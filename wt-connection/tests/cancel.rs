//! What is left by a session's or a stream's future that is dropped before it is done.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use bytes::Bytes;
use common::bounded::{cancel, once, within};
use common::raw;
use common::{Pair, connected, connections, connector, server_builder, session};
use wt_connection::{Limits, SendStream, Session};

#[tokio::test]
async fn a_cancelled_accept_leaves_the_stream_to_the_next() {
    within(async {
        let (client, server, _pair) = sessions().await;

        cancel(server.accept_bi()).await;
        cancel(server.accept_uni()).await;
        let mut bi = client.open_bi().await.unwrap();
        bi.send.write_all(b"bi").await.unwrap();
        let mut uni = client.open_uni().await.unwrap();
        uni.write_all(b"uni").await.unwrap();

        let mut bi = server.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read(&mut [0; 10]).await, Ok(Some(2)));
        let mut uni = server.accept_uni().await.unwrap();
        assert_eq!(uni.read(&mut [0; 10]).await, Ok(Some(3)));
    })
    .await;
}

#[tokio::test]
async fn an_accept_that_was_woken_and_cancelled_wakes_the_next() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut first_bi = Box::pin(server.accept_bi());
        let mut first_uni = Box::pin(server.accept_uni());
        let mut next_bi = pin!(server.accept_bi());
        let mut next_uni = pin!(server.accept_uni());
        assert!(once(first_bi.as_mut()).await.is_none());
        assert!(once(first_uni.as_mut()).await.is_none());
        assert!(once(next_bi.as_mut()).await.is_none());
        assert!(once(next_uni.as_mut()).await.is_none());

        let _bi = client.open_bi().await.unwrap();
        let _uni = client.open_uni().await.unwrap();
        others_run().await;
        drop((first_bi, first_uni));

        assert!(next_bi.await.is_ok());
        assert!(next_uni.await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_read_of_a_datagram_leaves_it_to_the_next() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut woken = Box::pin(server.read_datagram());
        let mut next = pin!(server.read_datagram());
        assert!(once(woken.as_mut()).await.is_none());
        assert!(once(next.as_mut()).await.is_none());

        client.send_datagram(b"one").unwrap();
        others_run().await;
        drop(woken);

        assert_eq!(next.await.unwrap(), "one");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_open_that_waited_for_room_takes_none() {
    within(async {
        let one = |bi: u8| {
            let mut transport = quinn::TransportConfig::default();
            transport
                .max_concurrent_bidi_streams(bi.into())
                .max_concurrent_uni_streams(2u8.into());
            transport
        };
        let (identity, builder) = server_builder();
        // One for the CONNECT, and one for the control stream.
        let endpoint = builder.transport(one(2)).bind().unwrap();
        let connector = connector(&identity);
        let (client, server) = connections(&endpoint, &connector).await;
        let (client, server) = session(&client, &server).await;
        let (bi, uni) = (client.open_bi().await, client.open_uni().await);

        for _ in 0..3 {
            cancel(client.open_bi()).await;
            cancel(client.open_uni()).await;
        }
        drop((bi, uni));
        drop((server.accept_bi().await, server.accept_uni().await));
        let mut bi = client.open_bi().await.unwrap();
        bi.send.write_all(b"bi").await.unwrap();
        let mut uni = client.open_uni().await.unwrap();
        uni.write_all(b"uni").await.unwrap();

        let mut bi = server.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read(&mut [0; 10]).await, Ok(Some(2)));
        let mut uni = server.accept_uni().await.unwrap();
        assert_eq!(uni.read(&mut [0; 10]).await, Ok(Some(3)));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_open_whose_header_was_not_sent_is_seen_by_nobody() {
    within(async {
        let (client, server, _pair) = narrow().await;
        let (fill, filled) = fill(&client).await;

        cancel(client.open_bi()).await;
        cancel(client.open_uni()).await;
        drop(fill);
        let mut recv = server.accept_uni().await.unwrap();
        assert_eq!(recv.read_to_end(usize::MAX).await.unwrap().len(), filled);
        let mut bi = client.open_bi().await.unwrap();
        bi.send.write_all(b"bi").await.unwrap();
        let mut uni = client.open_uni().await.unwrap();
        uni.write_all(b"uni").await.unwrap();

        let mut bi = server.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read(&mut [0; 10]).await, Ok(Some(2)));
        let mut uni = server.accept_uni().await.unwrap();
        assert_eq!(uni.read(&mut [0; 10]).await, Ok(Some(3)));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_wait_for_the_end_is_told_the_same_later() {
    within(async {
        let (client, server, _pair) = sessions().await;

        cancel(client.closed()).await;
        cancel(server.closed()).await;
        client.close(7, "over");

        for session in [client, server] {
            let first = session.closed().await;
            assert_eq!(first.close().unwrap().code(), 7);
            assert_eq!(session.closed().await, first);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_wait_for_the_drain_is_told_the_same_later() {
    within(async {
        let mut peer = raw::session(Limits::default()).await;

        cancel(peer.session.draining()).await;
        let drain = raw::data(&raw::drain_capsule());
        peer.send.write_all(&drain).await.unwrap();

        peer.session.draining().await;
        peer.session.draining().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_write_has_written_nothing() {
    within(async {
        let (client, server, _pair) = narrow().await;
        let (mut send, filled) = fill(&client).await;

        cancel(send.write(b"lost")).await;
        cancel(send.write(b"lost")).await;
        let read = tokio::spawn(async move {
            let mut recv = server.accept_uni().await.unwrap();
            recv.read_to_end(usize::MAX).await.unwrap()
        });
        send.write_all(b"kept").await.unwrap();
        send.finish().unwrap();

        let read = read.await.unwrap();
        assert_eq!(read.len(), filled + 4);
        assert_eq!(&read[filled..], b"kept");
    })
    .await;
}

#[tokio::test]
async fn chunks_hold_what_a_cancelled_write_has_not_written() {
    within(async {
        let (client, server, _pair) = narrow().await;
        let mut send = client.open_uni().await.unwrap();
        let content = (0..8u8).map(|number| Bytes::from(vec![number; 7000]));
        let content: Vec<_> = content.collect();
        let mut chunks = content.clone();

        cancel(send.write_chunks(&mut chunks)).await;
        let left: usize = chunks.iter().map(Bytes::len).sum();
        cancel(send.write_chunks(&mut chunks)).await;
        let read = tokio::spawn(async move {
            let mut recv = server.accept_uni().await.unwrap();
            recv.read_to_end(usize::MAX).await.unwrap()
        });
        send.write_chunks(&mut chunks).await.unwrap();
        send.finish().unwrap();

        assert!(0 < left && left < 8 * 7000, "{left}");
        assert!(read.await.unwrap() == content.concat());
        assert!(chunks.iter().all(Bytes::is_empty));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_read_has_read_nothing() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        let mut recv = server.accept_uni().await.unwrap();

        cancel(recv.read(&mut [0; 10])).await;
        send.write_all(b"one").await.unwrap();
        let mut buf = [0; 10];
        assert_eq!(recv.read(&mut buf).await, Ok(Some(3)));
        cancel(recv.read_chunk(10)).await;
        send.write_all(b"two").await.unwrap();
        let chunk = recv.read_chunk(10).await.unwrap().unwrap();

        assert_eq!(&buf[..3], b"one");
        assert_eq!(chunk, "two");
    })
    .await;
}

#[tokio::test]
async fn a_read_that_was_woken_and_cancelled_has_read_nothing() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        let mut recv = server.accept_uni().await.unwrap();

        let mut buf = [0; 10];
        let mut read = Box::pin(recv.read(&mut buf));
        assert!(once(read.as_mut()).await.is_none());
        send.write_all(b"one").await.unwrap();
        others_run().await;
        drop(read);

        assert_eq!(recv.read_chunk(10).await.unwrap().unwrap(), "one");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_wait_for_a_stop_is_told_the_same_later() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        let mut recv = server.accept_uni().await.unwrap();

        cancel(send.stopped()).await;
        recv.stop(7).unwrap();

        assert_eq!(send.stopped().await, Ok(Some(7)));
        assert_eq!(send.stopped().await, Ok(Some(7)));
    })
    .await;
}

async fn sessions() -> (Session, Session, Pair) {
    let pair = connected().await;
    let (client, server) = session(&pair.client, &pair.server).await;
    (client, server, pair)
}

/// A session whose client keeps no more than 10,000 bytes that the server has not acknowledged.
async fn narrow() -> (Session, Session, Pair) {
    let (identity, builder) = server_builder();
    let server_endpoint = builder.bind().unwrap();
    let mut transport = quinn::TransportConfig::default();
    transport.send_window(10_000);
    let connector = connector(&identity).transport(transport);
    let (client, server) = connections(&server_endpoint, &connector).await;
    let (here, there) = session(&client, &server).await;
    let pair = Pair {
        client,
        server,
        server_endpoint,
        connector,
    };
    (here, there, pair)
}

/// Writes until no stream of the connection takes any more; nothing is sent meanwhile.
async fn fill(session: &Session) -> (SendStream, usize) {
    let mut send = session.open_uni().await.unwrap();
    let mut filled = 0;
    while let Some(written) = once(pin!(send.write(&[7; 1000]))).await {
        filled += written.unwrap();
    }
    (send, filled)
}

/// Lets what is under way arrive.
async fn others_run() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

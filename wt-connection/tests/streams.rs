//! Streams: reading, writing, flow control, and what becomes of them when dropped.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use bytes::Bytes;
use common::bounded::within;
use common::{connected, connections, connector, server_builder, session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wt_connection::{BiStream, Limits, ReadToEndError, Session, Transport, WriteError};

#[tokio::test]
async fn streams_are_tokios_readers_and_writers() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let echo = tokio::spawn(async move {
            let (mut send, mut recv) = server.accept_bi().await.unwrap().split();
            tokio::io::copy(&mut recv, &mut send).await.unwrap();
            send.shutdown().await.unwrap();
            server
        });

        let mut stream = client.open_bi().await.unwrap();
        AsyncWriteExt::write_all(&mut stream, b"hello")
            .await
            .unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        let mut echoed = String::new();
        stream.read_to_string(&mut echoed).await.unwrap();

        assert_eq!(echoed, "hello");
        echo.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_directions_of_a_stream_go_to_tasks_of_their_own() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let (here, there) = bi(&client, &server).await;
        let (mut send, mut recv) = here.split();
        let (mut send_there, mut recv_there) = there.split();

        let up = tokio::spawn(async move { send.write_all(b"p").await.unwrap() });
        let down = tokio::spawn(async move { send_there.write_all(b"q").await.unwrap() });
        let (read, read_there) = tokio::join!(recv.read_to_end(1), recv_there.read_to_end(9));

        assert_eq!(read.unwrap(), b"q");
        assert_eq!(read_there.unwrap(), b"\0p");
        up.await.unwrap();
        down.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn chunks_arrive_in_order_and_are_left_empty() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        let mut chunks = [&b"one "[..], b"", b"two ", b"three "].map(Bytes::from_static);

        send.write_chunks(&mut chunks).await.unwrap();
        send.write_chunk(Bytes::from_static(b"four")).await.unwrap();
        send.finish().unwrap();

        let mut recv = server.accept_uni().await.unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = recv.read_chunk(3).await.unwrap() {
            assert!((1..=3).contains(&chunk.len()));
            read.extend_from_slice(&chunk);
        }
        assert_eq!(read, b"one two three four");
        assert!(chunks.iter().all(Bytes::is_empty));
    })
    .await;
}

#[tokio::test]
async fn a_read_gives_no_more_than_its_buffer_takes() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"abc").await.unwrap();
        send.finish().unwrap();
        let mut recv = server.accept_uni().await.unwrap();
        let mut buf = [0; 2];

        assert_eq!(recv.read(&mut []).await, Ok(Some(0)));
        assert_eq!(recv.read(&mut buf).await, Ok(Some(2)));
        assert_eq!(&buf, b"ab");
        assert_eq!(recv.read(&mut buf).await, Ok(Some(1)));
        assert_eq!(recv.read(&mut buf).await, Ok(None));
        assert_eq!(recv.read(&mut buf).await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn a_stream_as_long_as_the_limit_is_read_and_a_longer_one_is_not() {
    within(async {
        let (client, server, _pair) = sessions().await;

        for (limit, expected) in [
            (5, Ok(b"12345".to_vec())),
            (4, Err(ReadToEndError::TooLong)),
        ] {
            let mut send = client.open_uni().await.unwrap();
            send.write_all(b"12345").await.unwrap();
            send.finish().unwrap();
            let mut recv = server.accept_uni().await.unwrap();
            assert_eq!(recv.read_to_end(limit).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_stream_arrives_and_ends() {
    within(async {
        let (client, server, _pair) = sessions().await;

        drop(client.open_uni().await.unwrap());
        let mut recv = server.accept_uni().await.unwrap();

        assert_eq!(recv.read_to_end(0).await.unwrap(), b"");
    })
    .await;
}

#[tokio::test]
async fn the_priority_is_what_was_set() {
    within(async {
        let (client, _server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();

        assert_eq!(send.priority(), Ok(0));
        send.set_priority(-3).unwrap();

        assert_eq!(send.priority(), Ok(-3));
    })
    .await;
}

#[tokio::test]
async fn a_finished_stream_takes_nothing_more() {
    within(async {
        let (client, _server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        send.finish().unwrap();

        assert_eq!(send.write(b"x").await, Err(WriteError::Finished));
        assert_eq!(send.finish(), Err(WriteError::Finished));
    })
    .await;
}

#[tokio::test]
async fn a_mebibyte_passes_both_ways_at_once_under_backpressure() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let (here, there) = bi(&client, &server).await;
        let content = content();

        let (first, second) = tokio::join!(exchange(here, &content), exchange(there, &content));

        assert!(
            second[0] == 0 && second[1..] == content,
            "the other end's first byte leads"
        );
        assert!(first == content);
    })
    .await;
}

#[tokio::test]
async fn a_writer_waits_for_a_reader_that_does_not_read() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        let mut recv = server_side(&mut send, &server).await;
        let chunk = content();

        let writer = tokio::spawn(async move {
            for _ in 0..8 {
                send.write_all(&chunk).await.unwrap();
            }
        });
        // quinn's window is smaller than what is written.
        tokio::task::yield_now().await;
        assert!(!writer.is_finished());
        let read = recv.read_to_end(usize::MAX).await.unwrap();

        assert_eq!(read.len(), 8 * content().len());
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_dropped_stream_has_written_is_delivered() {
    within(async {
        let (client, server, _pair) = sessions().await;

        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"all of it").await.unwrap();
        drop(send);

        let mut recv = server.accept_uni().await.unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"all of it");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_reader_stops_the_stream_with_code_0() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();

        drop(server_side(&mut send, &server).await);

        assert_eq!(send.stopped().await, Ok(Some(0)));
    })
    .await;
}

#[tokio::test]
async fn a_stream_dropped_at_its_end_is_not_stopped() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let mut send = client.open_uni().await.unwrap();
        send.finish().unwrap();

        let mut recv = server.accept_uni().await.unwrap();
        recv.read_to_end(0).await.unwrap();
        drop(recv);

        assert_eq!(send.stopped().await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn the_room_of_a_stream_that_is_over_comes_back() {
    within(async {
        let (client, server, _pair) = sessions().await;
        let serve = async {
            for _ in 0..1000 {
                let mut stream = server.accept_bi().await.unwrap();
                stream.recv.read_to_end(10).await.unwrap();
                drop(stream);
                let mut recv = server.accept_uni().await.unwrap();
                recv.read_to_end(10).await.unwrap();
            }
        };
        let ask = async {
            for _ in 0..1000 {
                let mut stream = client.open_bi().await.unwrap();
                stream.send.write_all(b"one").await.unwrap();
                stream.send.finish().unwrap();
                assert_eq!(stream.recv.read_to_end(10).await.unwrap(), b"");
                let mut send = client.open_uni().await.unwrap();
                send.write_all(b"two").await.unwrap();
            }
        };

        tokio::join!(serve, ask);
    })
    .await;
}

#[tokio::test]
async fn streams_dropped_unread_give_their_room_back() {
    within(async {
        let few = Transport::default().max_bi_streams(8).max_uni_streams(8);
        let (identity, builder) = server_builder();
        let limits = Limits::default().max_sessions(1);
        let endpoint = builder.limits(limits).transport(few).bind().unwrap();
        let connector = connector(&identity);
        let (client, server) = connections(&endpoint, &connector).await;
        let (client, server) = session(&client, &server).await;
        let serve = async {
            for _ in 0..1000 {
                drop(server.accept_bi().await.unwrap());
                drop(server.accept_uni().await.unwrap());
            }
        };
        let ask = async {
            for _ in 0..1000 {
                drop(client.open_bi().await.unwrap());
                drop(client.open_uni().await.unwrap());
            }
        };

        tokio::join!(serve, ask);
    })
    .await;
}

async fn sessions() -> (Session, Session, common::Pair) {
    let pair = connected().await;
    let (client, server) = session(&pair.client, &pair.server).await;
    (client, server, pair)
}

/// A stream from both ends, whose first byte, a zero, has been sent.
async fn bi(client: &Session, server: &Session) -> (BiStream, BiStream) {
    let mut opened = client.open_bi().await.unwrap();
    opened.send.write_all(&[0]).await.unwrap();
    (opened, server.accept_bi().await.unwrap())
}

async fn server_side(
    send: &mut wt_connection::SendStream,
    server: &Session,
) -> wt_connection::RecvStream {
    send.write_all(b"x").await.unwrap();
    let mut recv = server.accept_uni().await.unwrap();
    assert_eq!(recv.read(&mut [0]).await, Ok(Some(1)));
    recv
}

async fn exchange(stream: BiStream, content: &[u8]) -> Vec<u8> {
    let (mut send, mut recv) = stream.split();
    let write = async {
        send.write_all(content).await.unwrap();
        send.finish().unwrap();
    };
    let (read, ()) = tokio::join!(recv.read_to_end(2 << 20), write);
    read.unwrap()
}

fn content() -> Vec<u8> {
    (0..1 << 20)
        .map(|number: u32| (number % 251) as u8)
        .collect()
}

//! What the drop of handles ends, and what it waits for.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{once, until, within};
use common::{connected, session};
use tokio::runtime::Handle;
use wt_connection::{ConnectionState, SessionError};

#[tokio::test]
async fn the_last_handle_of_a_session_closes_it_with_code_0() {
    within(async {
        let pair = connected().await;

        let (client, server) = session(&pair.client, &pair.server).await;
        drop((client.clone(), client));
        assert_closed_with_0(&server.closed().await);

        let (client, server) = session(&pair.client, &pair.server).await;
        drop(server);
        assert_closed_with_0(&client.closed().await);
    })
    .await;
}

#[tokio::test]
async fn a_stream_keeps_its_session_open_until_it_is_dropped() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let mut stream = client.open_bi().await.unwrap();
        stream.send.write_all(b"a").await.unwrap();
        let mut there = server.accept_bi().await.unwrap();
        let mut closed = pin!(server.closed());

        drop(client);
        there.send.write_all(b"b").await.unwrap();
        let mut buf = [0];
        stream.recv.read(&mut buf).await.unwrap();
        let (send, recv) = stream.split();
        drop(send);
        assert_eq!(there.recv.read_to_end(1).await.unwrap(), b"a");
        assert!(once(closed.as_mut()).await.is_none());
        drop(recv);

        assert_closed_with_0(&closed.await);
    })
    .await;
}

#[tokio::test]
async fn a_session_keeps_its_connection_open() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        drop(pair.client);
        let mut send = client.open_uni().await.unwrap();
        send.write_all(b"alive").await.unwrap();
        send.finish().unwrap();

        let mut recv = server.accept_uni().await.unwrap();
        assert_eq!(recv.read_to_end(10).await.unwrap(), b"alive");
        drop((client, send));
        assert_closed_with_0(&server.closed().await);
        assert!(pair.server.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn what_was_written_arrives_though_everything_is_dropped() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let content = content();

        let mut send = client.open_uni().await.unwrap();
        let written = content.clone();
        let write = async move {
            send.write_all(&written).await.unwrap();
            drop((send, client, pair.client, pair.connector));
        };
        let read = async {
            let mut recv = server.accept_uni().await.unwrap();
            recv.read_to_end(2 << 20).await.unwrap()
        };
        let (read, ()) = tokio::join!(read, write);

        assert!(read == content);
        assert_closed_with_0(&server.closed().await);
        let closed = pair.server.closed().await;
        assert!(closed.is_orderly(), "{closed}");
    })
    .await;
}

#[tokio::test]
async fn what_was_finished_can_be_read_once_the_session_is_over() {
    // What the peer had acknowledged was lost to who had not read it yet.
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let content = content();
        let mut send = client.open_uni().await.unwrap();
        send.write_all(&content).await.unwrap();
        let mut bi = client.open_bi().await.unwrap();
        bi.send.write_all(b"bi").await.unwrap();
        let mut unread = client.open_uni().await.unwrap();
        unread.write_all(b"not accepted").await.unwrap();
        let mut recv = server.accept_uni().await.unwrap();

        drop((send, bi, unread, client, pair.client));
        let closed = server.closed().await;

        assert_closed_with_0(&closed);
        assert!(recv.read_to_end(2 << 20).await.unwrap() == content);
        let mut bi = server.accept_bi().await.unwrap();
        assert_eq!(bi.recv.read_to_end(10).await.unwrap(), b"bi");
        assert_eq!(
            bi.send.write(b"x").await.unwrap_err(),
            closed.clone().into()
        );
        let mut unread = server.accept_uni().await.unwrap();
        assert_eq!(unread.read_to_end(20).await.unwrap(), b"not accepted");
        assert_eq!(server.accept_uni().await.unwrap_err(), closed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_arrives_on_threads_of_its_own() {
    // A reader under way lost the race against the session's end.
    within(async {
        for _ in 0..30 {
            let pair = connected().await;
            let (client, server) = session(&pair.client, &pair.server).await;
            let content = content();
            let written = content.clone();

            let write = tokio::spawn(async move {
                let mut send = client.open_uni().await.unwrap();
                send.write_all(&written).await.unwrap();
            });
            let mut recv = server.accept_uni().await.unwrap();
            let read = recv.read_to_end(2 << 20).await.unwrap();

            assert!(read == content);
            assert_closed_with_0(&server.closed().await);
            write.await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_many_streams_have_written_arrives_though_the_session_is_dropped() {
    // Streams that had arrived and were not yet told apart were refused at the session's end.
    within(async {
        for _ in 0..50 {
            let pair = connected().await;
            let (client, server) = session(&pair.client, &pair.server).await;

            let write = tokio::spawn(async move {
                for number in 0..100u8 {
                    let mut send = client.open_uni().await.unwrap();
                    send.write_all(&[number]).await.unwrap();
                }
            });

            for number in 0..100 {
                let mut recv = server.accept_uni().await.unwrap();
                assert_eq!(recv.read_to_end(1).await.unwrap(), [number]);
            }
            assert_closed_with_0(&server.closed().await);
            write.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_without_sessions_closes_with_its_last_handle() {
    within(async {
        let pair = connected().await;

        drop((pair.client.clone(), pair.client));

        let closed = pair.server.closed().await;
        assert!(closed.is_orderly(), "{closed}");
        assert_eq!(pair.server.state(), ConnectionState::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_request_for_a_session_keeps_its_connection_open() {
    within(async {
        let pair = connected().await;
        let opening = pair.client.clone();
        let opening = tokio::spawn(async move { opening.open("/").await });
        let request = pair.server.accept().await.unwrap();

        drop(pair.server);
        let accepted = request.accept().await.unwrap();

        let opened = opening.await.unwrap().unwrap();
        assert_eq!(opened.id(), accepted.id());
    })
    .await;
}

#[tokio::test]
async fn no_task_outlives_the_handles() {
    within(async {
        {
            let pair = connected().await;
            let (client, server) = session(&pair.client, &pair.server).await;
            let mut stream = client.open_bi().await.unwrap();
            stream.send.write_all(b"x").await.unwrap();
            let _accepted = server.accept_bi().await.unwrap();
            let _unaccepted = server.open_uni().await.unwrap();
            assert!(Handle::current().metrics().num_alive_tasks() > 0);
        }

        until(|| Handle::current().metrics().num_alive_tasks() == 0).await;
    })
    .await;
}

#[tokio::test]
async fn no_task_outlives_the_sessions_of_a_connection() {
    within(async {
        let pair = connected().await;
        let before = Handle::current().metrics().num_alive_tasks();

        for _ in 0..10 {
            let (client, _server) = session(&pair.client, &pair.server).await;
            let mut send = client.open_uni().await.unwrap();
            send.write_all(b"x").await.unwrap();
        }

        until(|| Handle::current().metrics().num_alive_tasks() <= before).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_session_holds_may_hold_the_session() {
    // Their cycle ends with the session.
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        client.hold(client.clone());

        server.close(0, "");
        client.closed().await;
        drop((client, server, pair));

        until(|| Handle::current().metrics().num_alive_tasks() == 0).await;
    })
    .await;
}

fn assert_closed_with_0(error: &SessionError) {
    match error {
        SessionError::ClosedByPeer(close) => {
            assert_eq!((close.code(), close.reason()), (0, ""));
        }
        other => panic!("not closed by the peer: {other}"),
    }
}

/// A mebibyte, less than what quinn takes in before it is read.
fn content() -> Vec<u8> {
    (0..1 << 20)
        .map(|number: u32| (number % 251) as u8)
        .collect()
}

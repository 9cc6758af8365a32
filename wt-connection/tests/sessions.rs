//! Sessions from outside: many on one connection, each with its own streams and datagrams.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{cancel, within};
use common::{connected, connections, connector, server_builder, session};
use wt_connection::{Limits, Session, Transport};

#[tokio::test]
async fn both_sides_open_streams_of_both_kinds() {
    let pair = connected().await;
    let (client, server) = session(&pair.client, &pair.server).await;

    for (opener, accepter) in [(&client, &server), (&server, &client)] {
        let mut opened = opener.open_bi().await.unwrap();
        opened.send.write_all(b"question").await.unwrap();
        opened.send.finish().unwrap();
        let mut accepted = accepter.accept_bi().await.unwrap();
        let question = accepted.recv.read_to_end(100).await.unwrap();
        accepted.send.write_all(b"answer").await.unwrap();
        accepted.send.finish().unwrap();
        assert_eq!(question, b"question");
        assert_eq!(opened.recv.read_to_end(100).await.unwrap(), b"answer");

        let mut send = opener.open_uni().await.unwrap();
        send.write_all(b"news").await.unwrap();
        send.finish().unwrap();
        let mut recv = accepter.accept_uni().await.unwrap();
        assert_eq!(recv.read_to_end(100).await.unwrap(), b"news");
    }
}

#[tokio::test]
async fn sessions_at_their_limit_leave_all_streams_their_room() {
    // Each session occupies a stream of QUIC's, its CONNECT.
    within(async {
        let (identity, builder) = server_builder();
        let server = builder
            .limits(Limits::default().max_sessions(4))
            .transport(Transport::default().max_bi_streams(2))
            .bind()
            .unwrap();
        let (client, server) = connections(&server, &connector(&identity)).await;
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(session(&client, &server).await);
        }

        let (first, _) = &sessions[0];
        let _streams = [
            first.open_bi().await.unwrap(),
            first.open_bi().await.unwrap(),
        ];

        cancel(first.open_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn streams_of_many_sessions_reach_only_their_own() {
    within(async {
        let pair = connected().await;
        let sessions = many(&pair).await;

        for (number, (client, server)) in sessions.iter().enumerate() {
            send_uni(client, &format!("uni to server {number}")).await;
            send_uni(server, &format!("uni to client {number}")).await;
            send_bi(client, &format!("bi to server {number}")).await;
            send_bi(server, &format!("bi to client {number}")).await;
        }

        // The last first, so that what went astray would be found elsewhere.
        for (number, (client, server)) in sessions.iter().enumerate().rev() {
            assert_eq!(read_uni(server).await, format!("uni to server {number}"));
            assert_eq!(read_uni(client).await, format!("uni to client {number}"));
            assert_eq!(read_bi(server).await, format!("bi to server {number}"));
            assert_eq!(read_bi(client).await, format!("bi to client {number}"));
        }
    })
    .await;
}

#[tokio::test]
async fn datagrams_of_many_sessions_reach_only_their_own() {
    within(async {
        let pair = connected().await;
        let sessions = many(&pair).await;

        for (number, (client, server)) in sessions.iter().enumerate() {
            client.send_datagram(format!("up {number}")).unwrap();
            server.send_datagram(format!("down {number}")).unwrap();
        }

        for (number, (client, server)) in sessions.iter().enumerate().rev() {
            assert_eq!(
                server.read_datagram().await.unwrap(),
                format!("up {number}")
            );
            assert_eq!(
                client.read_datagram().await.unwrap(),
                format!("down {number}")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_has_the_same_id_on_both_sides_and_no_other_has_it() {
    within(async {
        let pair = connected().await;

        let (first, first_there) = session(&pair.client, &pair.server).await;
        let (second, second_there) = session(&pair.client, &pair.server).await;

        assert_eq!(first.id(), first_there.id());
        assert_eq!(second.id(), second_there.id());
        assert_ne!(first.id(), second.id());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_one_session_leaves_the_others_alone() {
    within(async {
        let pair = connected().await;
        let (ended, _ended_there) = session(&pair.client, &pair.server).await;
        let (client, server) = session(&pair.client, &pair.server).await;

        ended.close(1, "");
        ended.closed().await;

        send_bi(&client, "still here").await;
        assert_eq!(read_bi(&server).await, "still here");
    })
    .await;
}

#[tokio::test]
async fn a_clone_of_a_session_is_the_same_session() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;
        let clone = client.clone();

        drop(client);
        send_uni(&clone, "by the clone").await;

        assert_eq!(read_uni(&server).await, "by the clone");
    })
    .await;
}

#[tokio::test]
async fn the_handles_of_a_session_lead_to_its_connection() {
    within(async {
        let pair = connected().await;
        let (client, server) = session(&pair.client, &pair.server).await;

        assert_eq!(client.connection().id(), pair.client.id());
        assert_eq!(server.connection().id(), pair.server.id());
    })
    .await;
}

async fn many(pair: &common::Pair) -> Vec<(Session, Session)> {
    let mut sessions = Vec::new();
    for _ in 0..20 {
        sessions.push(session(&pair.client, &pair.server).await);
    }
    sessions
}

async fn send_uni(session: &Session, text: &str) {
    let mut send = session.open_uni().await.unwrap();
    send.write_all(text.as_bytes()).await.unwrap();
}

async fn send_bi(session: &Session, text: &str) {
    let mut stream = session.open_bi().await.unwrap();
    stream.send.write_all(text.as_bytes()).await.unwrap();
}

async fn read_uni(session: &Session) -> String {
    let mut recv = session.accept_uni().await.unwrap();
    String::from_utf8(recv.read_to_end(100).await.unwrap()).unwrap()
}

async fn read_bi(session: &Session) -> String {
    let mut stream = session.accept_bi().await.unwrap();
    String::from_utf8(stream.recv.read_to_end(100).await.unwrap()).unwrap()
}

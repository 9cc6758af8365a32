//! Streams, datagrams and pings, in sessions that either side has opened.

use std::time::Duration;

use serde_json::json;
use tokio::time::interval;
use wt_connection::{RecvStream, SendStream, Session};

use crate::ours::{answers_pings, in_time};
use crate::peer::{Peer, from_our_client, from_their_client, to_their_server};

#[tokio::test]
async fn their_client_and_our_server_exchange_streams_of_both_kinds() {
    in_time(async {
        let (peer, session) = from_their_client(GREETING).await;
        streams_are_exchanged(peer, &session).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_streams_of_both_kinds() {
    in_time(async {
        let (peer, session) = from_our_client(GREETING).await;
        streams_are_exchanged(peer, &session).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_and_our_server_exchange_a_mebibyte() {
    in_time(async {
        let (_peer, session) = from_their_client(ECHO).await;
        is_echoed(&session, ECHO, &vec![b'x'; MEBIBYTE]).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_a_mebibyte() {
    in_time(async {
        let (_peer, session) = from_our_client(ECHO).await;
        is_echoed(&session, ECHO, &vec![b'x'; MEBIBYTE]).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_and_our_server_exchange_datagrams() {
    in_time(async {
        let (_peer, session) = from_their_client(ECHO).await;
        datagrams_are_exchanged(&session).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_datagrams() {
    in_time(async {
        let (_peer, session) = from_our_client(ECHO).await;
        datagrams_are_exchanged(&session).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_answers_our_server_s_pings() {
    in_time(async {
        let (_peer, session) = from_their_client(ECHO).await;
        answers_pings(&session.connection()).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_answers_our_client_s_pings() {
    in_time(async {
        let (_peer, connection) = to_their_server().await;
        answers_pings(&connection).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_has_several_sessions_with_their_server_on_one_connection() {
    in_time(async {
        let (mut peer, connection) = to_their_server().await;
        let (a, b) = tokio::try_join!(connection.open(ECHO), connection.open(OTHER)).unwrap();
        peer.says([json!({ "path": ECHO }), json!({ "path": OTHER })])
            .await;

        tokio::join!(
            is_echoed(&a, ECHO, b"of one session"),
            is_echoed(&b, OTHER, b"of another"),
        );
    })
    .await;
}

/// Reads what the other side began with, answers it, and asks on streams of either kind.
async fn streams_are_exchanged(mut peer: Peer, session: &Session) {
    let greeting = answer(GREETING, &b"hello".repeat(REPEATED));
    let mut uni = session.accept_uni().await.unwrap();
    reads(&mut uni, &greeting).await;
    let mut bi = session.accept_bi().await.unwrap();
    reads(&mut bi.recv, &greeting).await;
    write(&mut bi.send, b"thanks").await;
    peer.says([json!({ "path": GREETING, "answer": "thanks" })])
        .await;

    let question = b"question".repeat(REPEATED);
    is_echoed(session, GREETING, &question).await;
    let mut uni = session.open_uni().await.unwrap();
    write(&mut uni, &question).await;
    let mut uni = session.accept_uni().await.unwrap();
    reads(&mut uni, &answer(GREETING, &question)).await;
}

async fn is_echoed(session: &Session, path: &str, content: &[u8]) {
    let mut bi = session.open_bi().await.unwrap();
    write(&mut bi.send, content).await;
    reads(&mut bi.recv, &answer(path, content)).await;
}

async fn datagrams_are_exchanged(session: &Session) {
    // It drops an empty one.
    for question in [&b"x"[..], &[b'x'; 1000]] {
        datagram(session, question).await;
    }
}

/// Asks until it is answered: a datagram may be lost.
async fn datagram(session: &Session, question: &[u8]) {
    let answer = answer(ECHO, question);
    let ask = async {
        let mut again = interval(Duration::from_millis(100));
        loop {
            again.tick().await;
            session.send_datagram(question).unwrap();
        }
    };
    // What was asked twice may be answered twice, the second time among the next.
    let read = async { while session.read_datagram().await.unwrap() != answer {} };
    tokio::select! {
        () = read => {}
        () = ask => {}
    }
}

async fn write(send: &mut SendStream, content: &[u8]) {
    send.write_all(content).await.unwrap();
    send.finish().unwrap();
}

async fn reads(recv: &mut RecvStream, content: &[u8]) {
    let read = recv.read_to_end(2 * content.len()).await.unwrap();
    assert!(read == content, "{} bytes arrived", read.len());
}

/// What the other side answers in a session at this path.
fn answer(path: &str, content: &[u8]) -> Vec<u8> {
    [path.as_bytes(), b": ", content].concat()
}

const GREETING: &str = "/greet";
const ECHO: &str = "/echo/a";
const OTHER: &str = "/echo/b";
const MEBIBYTE: usize = 1 << 20;

/// More than a packet, less than a stream's first window.
const REPEATED: usize = 20_000;

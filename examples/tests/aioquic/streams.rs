//! Streams and datagrams, each to its own session and back.

use std::time::Duration;

use serde_json::json;
use tokio::time::interval;
use wt_connection::{RecvStream, SendStream};

use crate::ours::in_time;
use crate::peer::Peer;
use crate::sessions::{Opened, from_our_client, from_their_client};

#[tokio::test]
async fn their_client_and_our_server_exchange_streams_of_both_kinds_in_each_session() {
    in_time(async {
        let (peer, opened) = from_their_client(GREETING).await;
        streams_are_exchanged(peer, &opened).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_streams_of_both_kinds_in_each_session() {
    in_time(async {
        let (peer, opened) = from_our_client(GREETING).await;
        streams_are_exchanged(peer, &opened).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_and_our_server_exchange_datagrams_in_each_session() {
    in_time(async {
        let (_peer, opened) = from_their_client(SILENT).await;
        datagrams_are_exchanged(&opened).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_datagrams_in_each_session() {
    in_time(async {
        let (_peer, opened) = from_our_client(SILENT).await;
        datagrams_are_exchanged(&opened).await;
    })
    .await;
}

async fn streams_are_exchanged(mut peer: Peer, opened: &[Opened; 3]) {
    let [a, b, c] = opened;
    tokio::join!(greetings(a), greetings(b), greetings(c));
    peer.says(GREETING.map(|path| json!({ "path": path, "answer": format!("thanks, {path}") })))
        .await;
    tokio::join!(questions(a), questions(b), questions(c));
}

/// Reads what the other side began with, and answers it.
async fn greetings(opened: &Opened) {
    let greeting = opened.answer(&b"hello".repeat(REPEATED));
    let mut bi = opened.session.accept_bi().await.unwrap();
    let thanks = format!("thanks, {}", opened.path);
    let write = write(&mut bi.send, thanks.as_bytes());
    tokio::join!(reads(&mut bi.recv, &greeting), write);
    let mut uni = opened.session.accept_uni().await.unwrap();
    reads(&mut uni, &greeting).await;
}

/// Asks on streams of either kind, and reads the answers.
async fn questions(opened: &Opened) {
    let question = opened.path.repeat(REPEATED);
    let answer = opened.answer(question.as_bytes());
    let mut bi = opened.session.open_bi().await.unwrap();
    write(&mut bi.send, question.as_bytes()).await;
    reads(&mut bi.recv, &answer).await;
    let mut uni = opened.session.open_uni().await.unwrap();
    write(&mut uni, question.as_bytes()).await;
    let mut uni = opened.session.accept_uni().await.unwrap();
    reads(&mut uni, &answer).await;
}

async fn write(send: &mut SendStream, content: &[u8]) {
    send.write_all(content).await.unwrap();
    send.finish().unwrap();
}

async fn reads(recv: &mut RecvStream, content: &[u8]) {
    let read = recv.read_to_end(2 * content.len()).await.unwrap();
    assert!(read == content, "{} bytes arrived", read.len());
}

async fn datagrams_are_exchanged(opened: &[Opened; 3]) {
    let [a, b, c] = opened;
    tokio::join!(datagram(a, b""), datagram(b, b""), datagram(c, b""));
    tokio::join!(datagram(a, b"x"), datagram(b, b"x"), datagram(c, b"x"));
}

/// Asks until it is answered: a datagram may be lost.
async fn datagram(opened: &Opened, question: &[u8]) {
    let answer = opened.answer(question);
    let ask = async {
        let mut again = interval(Duration::from_millis(100));
        loop {
            again.tick().await;
            opened.session.send_datagram(question).unwrap();
        }
    };
    // What was asked twice may be answered twice, the second time among the next.
    let read = async { while opened.session.read_datagram().await.unwrap() != answer {} };
    tokio::select! {
        () = read => {}
        () = ask => {}
    }
}

const GREETING: [&str; 3] = ["/greet/a", "/greet/b", "/greet/c"];
const SILENT: [&str; 3] = ["/echo/a", "/echo/b", "/echo/c"];

/// More than a packet, less than a stream's first window.
const REPEATED: usize = 20_000;

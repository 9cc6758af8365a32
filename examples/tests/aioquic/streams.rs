//! Streams and datagrams, each to its own session and back.

use std::time::Duration;

use serde_json::json;
use tokio::time::interval;
use wt_connection::{RecvStream, SendStream};

use crate::draft::Draft;
use crate::ours::in_time;
use crate::peer::Peer;
use crate::sessions::{Opened, from_our_client, from_their_client};

each_draft! {
    their_client_and_our_server_exchange_streams_of_both_kinds_in_each_session,
    our_client_and_their_server_exchange_streams_of_both_kinds_in_each_session,
    their_client_and_our_server_exchange_datagrams_in_each_session,
    our_client_and_their_server_exchange_datagrams_in_each_session,
    their_client_and_our_server_give_credit_back,
    our_client_and_their_server_give_credit_back,
}

async fn their_client_and_our_server_exchange_streams_of_both_kinds_in_each_session(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_their_client(draft, GREETING).await;
        streams_are_exchanged(peer, &opened).await;
    })
    .await;
}

async fn our_client_and_their_server_exchange_streams_of_both_kinds_in_each_session(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_our_client(draft, GREETING).await;
        streams_are_exchanged(peer, &opened).await;
    })
    .await;
}

async fn their_client_and_our_server_exchange_datagrams_in_each_session(draft: Draft) {
    in_time(async {
        let (_peer, opened) = from_their_client(draft, SILENT).await;
        datagrams_are_exchanged(&opened).await;
    })
    .await;
}

async fn our_client_and_their_server_exchange_datagrams_in_each_session(draft: Draft) {
    in_time(async {
        let (_peer, opened) = from_our_client(draft, SILENT).await;
        datagrams_are_exchanged(&opened).await;
    })
    .await;
}

async fn their_client_and_our_server_give_credit_back(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_their_client(draft, COUNTING).await;
        credit_is_given_back(draft, peer, &opened).await;
    })
    .await;
}

async fn our_client_and_their_server_give_credit_back(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_our_client(draft, COUNTING).await;
        credit_is_given_back(draft, peer, &opened).await;
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
    // It comes first, and may take all the credit there is.
    let mut uni = opened.session.accept_uni().await.unwrap();
    reads(&mut uni, &greeting).await;
    let mut bi = opened.session.accept_bi().await.unwrap();
    let thanks = format!("thanks, {}", opened.path);
    let write = write(&mut bi.send, thanks.as_bytes());
    tokio::join!(reads(&mut bi.recv, &greeting), write);
}

/// Asks on streams of either kind, and reads the answers.
async fn questions(opened: &Opened) {
    let question = opened.path.repeat(REPEATED);
    let answer = opened.answer(question.as_bytes());
    let mut bi = opened.session.open_bi().await.unwrap();
    write(&mut bi.send, question.as_bytes()).await;
    reads(&mut bi.recv, &answer).await;
    question_one_way(opened, question.as_bytes()).await;
}

/// Asks on one stream, and reads the answer on another.
async fn question_one_way(opened: &Opened, question: &[u8]) {
    let mut uni = opened.session.open_uni().await.unwrap();
    write(&mut uni, question).await;
    let mut uni = opened.session.accept_uni().await.unwrap();
    reads(&mut uni, &opened.answer(question)).await;
}

async fn write(send: &mut SendStream, content: &[u8]) {
    send.write_all(content).await.unwrap();
    send.finish().unwrap();
}

async fn reads(recv: &mut RecvStream, content: &[u8]) {
    let read = recv.read_to_end(2 * content.len()).await.unwrap();
    assert!(read == content, "{} bytes arrived", read.len());
}

/// A mebibyte goes there and back in one session of three, and in the others more streams than may
/// be open at once. Where the draft has credit for that, either side gives little at a time.
async fn credit_is_given_back(draft: Draft, mut peer: Peer, [counting, b, c]: &[Opened; 3]) {
    let content = vec![b'x'; MEBIBYTE];
    let answer = counting.answer(&content);
    let mut bi = counting.session.open_bi().await.unwrap();
    write(&mut bi.send, &content).await;
    reads(&mut bi.recv, &answer).await;
    for _ in 0..MANY {
        tokio::join!(b.lives(), question_one_way(c, b"alive?"));
    }

    counting.close().await;
    let told = peer.event().await;
    assert_eq!(told["path"], counting.path);
    let allowed = told["max_data"].as_u64();
    assert_eq!(allowed.is_some(), draft.has_flow_control());
    assert!(allowed.is_none_or(|allowed| allowed >= answer.len() as u64));
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
const COUNTING: [&str; 3] = ["/count/a", "/echo/b", "/echo/c"];
const MANY: usize = 8;
const MEBIBYTE: usize = 1 << 20;

/// More than a packet, less than a stream's first window.
const REPEATED: usize = 20_000;

//! Streams and datagrams, from either side to the other.

use std::collections::BTreeSet;

use serde_json::json;
use wt_connection::{RecvStream, SendStream};

use crate::draft::Draft;
use crate::site::{Case, in_session};

each_draft! {
    streams_of_both_kinds_are_exchanged_from_both_sides,
    datagrams_are_exchanged_up_to_the_largest,
    ten_mebibytes_on_one_stream_come_back_as_they_were,
}

async fn streams_of_both_kinds_are_exchanged_from_both_sides(draft: Draft) {
    let (returned, ()) = in_session(case(draft, "bothKinds"), async |session| {
        let mut theirs = session.accept_bi().await.unwrap();
        reads(&mut theirs.recv, "question").await;
        writes(&mut theirs.send, "answer").await;
        let mut ours = session.open_bi().await.unwrap();
        writes(&mut ours.send, "question").await;
        reads(&mut ours.recv, "answer").await;
        reads(&mut session.accept_uni().await.unwrap(), "one way").await;
        writes(&mut session.open_uni().await.unwrap(), "one way").await;
    })
    .await;

    for what in ["question", "answer", "one way"] {
        assert!(returned[what] == content(what, "server"), "{what}");
    }
}

async fn datagrams_are_exchanged_up_to_the_largest(draft: Draft) {
    let (returned, (read, longest)) = in_session(case(draft, "datagrams"), async |session| {
        let longest = session.max_datagram_size().unwrap();
        let mut read = BTreeSet::new();
        // Until the page closes the session.
        while let Ok(datagram) = session.read_datagram().await {
            let asked = String::from_utf8(datagram.into()).unwrap();
            let answer = match asked.as_str() {
                "short" => "short answer".to_owned(),
                _ => format!("{:longest$}", "long answer"),
            };
            // What was asked twice may be read when the session is already closed.
            let _ = session.send_datagram(answer);
            read.insert(asked);
        }
        (read, longest)
    })
    .await;

    let asked = returned["maxDatagramSize"].as_u64().unwrap();
    let asked = format!("{:1$}", "long", usize::try_from(asked).unwrap());
    assert_eq!(read, ["short".to_owned(), asked].into());
    let long = format!("{:longest$}", "long answer");
    let answers = json!({ "short": "short answer", "long": long });
    assert_eq!(returned["answers"], answers);
}

async fn ten_mebibytes_on_one_stream_come_back_as_they_were(draft: Draft) {
    let (returned, ()) = in_session(case(draft, "large"), async |session| {
        let (mut send, mut recv) = session.accept_bi().await.unwrap().split();
        while let Some(chunk) = recv.read_chunk(usize::MAX).await.unwrap() {
            send.write_chunk(chunk).await.unwrap();
        }
        send.finish().unwrap();
    })
    .await;

    assert_eq!(returned, json!({ "length": 10 << 20, "same": true }));
}

async fn reads(recv: &mut RecvStream, what: &str) {
    let read = recv.read_to_end(LIMIT).await.unwrap();
    assert!(read == content(what, "page").as_bytes(), "{what}");
}

async fn writes(send: &mut SendStream, what: &str) {
    let content = content(what, "server");
    send.write_all(content.as_bytes()).await.unwrap();
    send.finish().unwrap();
}

/// More than a packet, less than a stream's first window.
fn content(what: &str, side: &str) -> String {
    format!("{what} of the {side} ").repeat(20_000)
}

fn case(draft: Draft, name: &'static str) -> Case {
    Case::new(draft, include_str!("streams.js"), name)
}

const LIMIT: usize = 1 << 20;

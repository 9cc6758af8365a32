//! Sessions from outside: streams, datagrams, and how they end.

mod common;

use common::{connected, session};

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

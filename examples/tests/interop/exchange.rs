//! Streams, datagrams and pings, whoever is at the other end.

use wt_connection::Session;

use super::peer::{from_our_client, from_their_client};
use crate::end::{End, exchange_datagrams, exchange_streams};
use crate::ours::{answers_pings, in_time};

#[tokio::test]
async fn their_client_and_our_server_exchange_streams_of_both_kinds() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        exchange_streams(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_streams_of_both_kinds() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        exchange_streams(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_and_our_server_exchange_datagrams() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        exchange_datagrams(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_exchange_datagrams() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        exchange_datagrams(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_answers_our_server_s_pings() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        pings_are_answered(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_answers_our_client_s_pings() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        pings_are_answered(&ours, &theirs).await;
    })
    .await;
}

/// Their application waits for a stream meanwhile, and sees none of those of the pings.
async fn pings_are_answered(ours: &Session, theirs: &impl End) {
    let connection = ours.connection();
    tokio::select! {
        () = answers_pings(&connection) => {}
        _ = theirs.accept_uni() => panic!("a ping is no stream of the session"),
    }
}

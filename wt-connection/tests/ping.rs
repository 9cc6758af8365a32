//! Pings: what peers of each kind answer, and what is left of a ping without an answer.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::{cancel, within};
use common::path::Silent;
use common::raw;
use common::{bare, connected, session};
use tokio::task::JoinSet;
use wt_connection::{ConnectionError, Limits, PingError};

#[tokio::test]
async fn each_side_answers_the_other() {
    within(async {
        let pair = connected().await;

        for connection in [&pair.client, &pair.server] {
            let answered = connection.ping(LONG).await.unwrap();

            assert!(answered > Duration::ZERO && answered < LONG);
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_ignores_the_stream_answers_before_it_has_to() {
    within(async {
        let (client, _peer) = bare::peer(256).await;

        let mut answered = Vec::new();
        for _ in 0..11 {
            answered.push(client.ping(LONG).await.unwrap());
        }
        answered.sort();

        // It may keep one acknowledgement back for 25 ms.
        assert!(answered[5] < Duration::from_millis(20), "{answered:?}");
    })
    .await;
}

#[tokio::test]
async fn a_ping_is_no_activity_on_either_side() {
    within(async {
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;
        let last = (pair.client.last_activity(), pair.server.last_activity());

        pair.client.ping(LONG).await.unwrap();
        pair.server.ping(LONG).await.unwrap();

        let now = (pair.client.last_activity(), pair.server.last_activity());
        assert_eq!(now, last);
    })
    .await;
}

#[tokio::test]
async fn pings_by_the_thousand_leave_nothing_behind() {
    within(async {
        let pair = connected().await;
        let mut pings = JoinSet::new();
        for _ in 0..40 {
            let client = pair.client.clone();
            pings.spawn(async move {
                for _ in 0..50 {
                    client.ping(LONG).await.unwrap();
                }
            });
        }

        // Far more than there may be streams.
        let answered = pings.join_all().await;

        assert_eq!(answered.len(), 40);
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let mut open = Vec::new();
        for _ in 0..256 {
            let mut send = opened.open_uni().await.unwrap();
            send.write_all(b"a").await.unwrap();
            open.push((send, accepted.accept_uni().await.unwrap()));
        }
        assert_eq!(pair.server.info().error_count, 0);
    })
    .await;
}

#[tokio::test]
async fn a_path_without_a_way_back_times_the_ping_out_and_not_the_connection() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        silent.path.swallow();

        let unanswered = silent.client.ping(SHORT).await;

        assert_eq!(unanswered, Err(PingError::TimedOut));
        assert!(!silent.client.state().is_final());
    })
    .await;
}

#[tokio::test]
async fn a_ping_that_gets_no_stream_says_so() {
    within(async {
        // That of the control stream.
        let (client, _peer) = bare::peer(1).await;

        let unanswered = client.ping(SHORT).await;

        assert_eq!(unanswered, Err(PingError::NoStream));
    })
    .await;
}

#[tokio::test]
async fn a_ping_that_is_dropped_resets_its_stream() {
    within(async {
        let (client, (peer, _control)) = bare::peer(2).await;
        let _client_s_control = peer.accept_uni().await.unwrap();

        cancel(client.ping(LONG)).await;

        let mut recv = peer.accept_uni().await.unwrap();
        assert_eq!(raw::reset_code(&mut recv).await, raw::H3_NO_ERROR);
        drop(recv);
        // The only stream that there may be is there again.
        client.ping(LONG).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_ping_is_a_stream_and_frames_of_reserved_types() {
    within(async {
        let (peer, client, _connector) = raw::server(&raw::ENABLED).await;
        let mut control = peer.quic.accept_uni().await.unwrap();
        raw::read_settings(&mut control).await;

        client.ping(LONG).await.unwrap();

        let mut stream = peer.quic.accept_uni().await.unwrap();
        assert_eq!(stream.read_to_end(9).await.unwrap(), [0x21]);
        assert_eq!(raw::read_frame(&mut control).await, (0x21, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_drains_answers_pings() {
    within(async {
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;

        pair.server.drain();
        pair.client.ping(LONG).await.unwrap();
        pair.server.ping(LONG).await.unwrap();

        assert!(!pair.client.state().is_final());
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_over_is_not_pinged() {
    within(async {
        let pair = connected().await;
        pair.client.close(0, "").await;

        let closed = pair.client.ping(LONG).await;
        let there = pair.server.ping(LONG).await;

        let over = PingError::Connection(ConnectionError::Closed);
        assert_eq!(closed, Err(over));
        assert!(matches!(there, Err(PingError::Connection(error)) if error.is_orderly()));
    })
    .await;
}

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(200);

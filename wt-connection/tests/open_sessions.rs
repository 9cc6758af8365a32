//! Which sessions a connection has, and that its use can be recorded.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::{until, within};
use common::{connected, session};
use wt_connection::{Connection, Connections, SessionId};

#[tokio::test]
async fn the_open_sessions_are_told_on_both_sides_oldest_first() {
    within(async {
        let pair = connected().await;
        assert!(pair.client.sessions().is_empty() && pair.client.first_session().is_none());
        let mut opened = Vec::new();
        for _ in 0..5 {
            opened.push(session(&pair.client, &pair.server).await);
        }

        let ids: Vec<_> = opened.iter().map(|(opened, _)| opened.id()).collect();

        assert!(ids.is_sorted());
        for connection in [&pair.client, &pair.server] {
            assert_eq!(open(connection), ids);
            assert_eq!(connection.first_session().unwrap().id(), ids[0]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_told_is_the_same_one() {
    within(async {
        let pair = connected().await;
        let (_opened, accepted) = session(&pair.client, &pair.server).await;

        let told = pair.client.first_session().unwrap();
        told.send_datagram("by another handle").unwrap();

        let datagram = accepted.read_datagram().await.unwrap();
        assert_eq!(datagram, "by another handle");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_closed_is_not_told() {
    within(async {
        let pair = connected().await;
        let (first, _first_there) = session(&pair.client, &pair.server).await;
        let (second, _second_there) = session(&pair.client, &pair.server).await;

        first.close(1, "");
        first.closed().await;

        assert_eq!(open(&pair.client), [second.id()]);
        until(|| open(&pair.server) == [second.id()]).await;
        assert_eq!(pair.client.first_session().unwrap().id(), second.id());
    })
    .await;
}

#[tokio::test]
async fn a_session_whose_last_handle_is_gone_is_not_told() {
    within(async {
        let pair = connected().await;
        let (opened, _accepted) = session(&pair.client, &pair.server).await;

        drop(opened);

        assert!(pair.client.sessions().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_told_keeps_its_session_open() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;

        let told = pair.client.sessions();
        drop(opened);
        told[0].send_datagram("still here").unwrap();
        assert_eq!(accepted.read_datagram().await.unwrap(), "still here");
        drop(told);

        assert!(accepted.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_over_has_no_sessions() {
    within(async {
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;

        pair.client.close(0, "").await;
        pair.server.closed().await;

        assert!(pair.client.sessions().is_empty() && pair.server.sessions().is_empty());
    })
    .await;
}

#[tokio::test]
async fn recorded_activity_is_the_last() {
    within(async {
        let pair = connected().await;
        let before = pair.client.last_activity();
        until(|| before.elapsed() > Duration::from_micros(10)).await;

        pair.client.record_activity();

        assert!(pair.client.last_activity() > before);
    })
    .await;
}

#[tokio::test]
async fn who_records_activity_is_not_closed_as_idle() {
    within(async {
        let pair = connected().await;
        let timeout = Duration::from_millis(300);
        let connections = Connections::new().idle_timeout(Some(timeout));
        let connections = connections.idle_check_interval(timeout / 10);
        connections.add(&pair.client).unwrap();

        let kept = tokio::time::Instant::now();
        until(|| {
            pair.client.record_activity();
            kept.elapsed() > 2 * timeout
        })
        .await;
        assert!(!pair.client.state().is_final());

        pair.client.closed().await;
    })
    .await;
}

fn open(connection: &Connection) -> Vec<SessionId> {
    let sessions = connection.sessions();
    sessions.iter().map(|session| session.id()).collect()
}

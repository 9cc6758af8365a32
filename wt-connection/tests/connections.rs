//! The live connections of a process: who is in, and for how long.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::{until, within};
use common::path::Silent;
use common::{connected, connections, session};
use wt_connection::{AddError, Connection, ConnectionError, Connections, Limits};

#[tokio::test]
async fn a_connection_leaves_the_moment_its_peer_closes_it() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();

        pair.server.close(0, "").await;
        pair.client.closed().await;

        assert!(registry.is_empty());
        assert!(registry.get(pair.client.id()).is_none());
        assert_eq!(registry.stats().ended, 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_leaves_with_its_last_handle_which_the_registry_is_not() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();
        let id = pair.client.id();

        drop(pair.client);

        assert!(registry.get(id).is_none());
        assert!(pair.server.closed().await.is_orderly());
        until(|| registry.is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn a_session_keeps_its_connection_where_it_can_be_found() {
    within(async {
        let pair = connected().await;
        let (_open, _there) = session(&pair.client, &pair.server).await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();
        let id = pair.client.id();

        drop(pair.client);

        assert_eq!(registry.get(id).unwrap().id(), id);
    })
    .await;
}

#[tokio::test]
async fn connections_leave_with_their_endpoint() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();
        registry.add(&pair.server).unwrap();

        pair.server_endpoint.close(0, "").await;
        pair.client.closed().await;

        assert!(registry.is_empty());
        assert_eq!(registry.stats().ended, 2);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_fails_leaves_like_any_other() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        let registry = Connections::new();
        registry.add(&silent.client).unwrap();

        silent.path.swallow();
        assert_eq!(silent.client.closed().await, ConnectionError::TimedOut);

        assert!(registry.is_empty());
        assert_eq!(registry.add(&silent.client), Err(AddError::Over));
        assert_eq!(registry.stats().refused, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waited_for_the_end_finds_the_connection_gone() {
    // The end was told before the entry had left.
    within(async {
        let registry = Connections::new();
        for _ in 0..50 {
            let pair = connected().await;
            registry.add(&pair.client).unwrap();

            pair.client.close(0, "").await;

            assert!(registry.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_removed_stays_open() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();
        let id = pair.client.id();

        let removed = registry.remove(id).unwrap();
        registry.shutdown(7, "enough").await;

        assert_eq!(removed.id(), id);
        assert!(registry.remove(id).is_none());
        session(&pair.client, &pair.server).await;
        removed.close(0, "").await;
        assert_eq!(registry.stats().ended, 0);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_comes_back_leaves_once_it_is_over() {
    within(async {
        let pair = connected().await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();

        registry.remove(pair.client.id());
        registry.add(&pair.client).unwrap();
        assert_eq!(registry.len(), 1);
        pair.client.close(0, "").await;

        let stats = registry.stats();
        assert_eq!((stats.open, stats.added, stats.ended), (0, 2, 1));
    })
    .await;
}

#[tokio::test]
async fn connections_are_listed_in_the_order_they_were_made() {
    within(async {
        let pair = connected().await;
        let (other, _there) = connections(&pair.server_endpoint, &pair.connector).await;
        let registry = Connections::new();
        registry.add(&other).unwrap();
        registry.add(&pair.client).unwrap();

        let ids: Vec<_> = registry.all().iter().map(Connection::id).collect();

        assert_eq!(ids, [pair.client.id(), other.id()]);
    })
    .await;
}

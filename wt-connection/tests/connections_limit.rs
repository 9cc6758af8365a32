//! The live connections of a process: how many there may be, and how many there are.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::path::Silent;
use common::{connected, connections, session};
use wt_connection::{AddError, ConnectionState, Connections, Limits};

#[tokio::test]
async fn a_full_registry_refuses_and_counts() {
    within(async {
        let pair = connected().await;
        let (other, _there) = connections(&pair.server_endpoint, &pair.connector).await;
        let registry = Connections::new().max_connections(1);
        registry.add(&pair.client).unwrap();

        assert_eq!(registry.add(&other), Err(AddError::Full));

        let stats = registry.stats();
        assert_eq!((stats.open, stats.added, stats.refused), (1, 1, 1));
        assert_eq!(stats.max_connections, 1);
        assert_eq!(other.state(), ConnectionState::Connected);
        pair.client.close(0, "").await;
        registry.add(&other).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_added_twice_counts_once() {
    // It counted twice, and took the place of another.
    within(async {
        let pair = connected().await;
        let registry = Connections::new().max_connections(1);

        registry.add(&pair.client).unwrap();
        registry.add(&pair.client.clone()).unwrap();

        let stats = registry.stats();
        assert_eq!((stats.open, stats.added, stats.refused), (1, 1, 0));
        pair.client.close(0, "").await;
        assert_eq!(registry.stats().ended, 1);
    })
    .await;
}

#[tokio::test]
async fn statistics_tell_states_and_the_most_there_were() {
    within(async {
        let pair = connected().await;
        let silent = Silent::connect(Limits::default()).await;
        let _session = session(&silent.client, &silent.server).await;
        let registry = Connections::new();
        for connection in [&pair.client, &pair.server, &silent.client] {
            registry.add(connection).unwrap();
        }
        assert_eq!(registry.stats().in_state(ConnectionState::Connected), 3);

        silent.path.swallow();
        drop(silent.client.close(0, ""));
        pair.client.close(0, "").await;
        pair.server.closed().await;

        let stats = registry.stats();
        assert_eq!((stats.open, stats.high_water, stats.ended), (1, 3, 2));
        assert_eq!(stats.in_state(ConnectionState::Closing), 1);
        assert_eq!(stats.in_state(ConnectionState::Connected), 0);
    })
    .await;
}

#[tokio::test]
async fn clones_share_connections_and_settings() {
    within(async {
        let pair = connected().await;
        let registry = Connections::default();
        let clone = registry.clone().max_connections(1);

        clone.add(&pair.client).unwrap();

        assert_eq!(registry.len(), 1);
        assert_eq!(registry.add(&pair.server), Err(AddError::Full));
        assert_eq!(clone.stats(), registry.stats());
    })
    .await;
}

#[test]
fn three_thousand_may_be_there_unless_set() {
    assert_eq!(Connections::new().stats().max_connections, 3_000);
}

#[test]
#[should_panic(expected = "of no use")]
fn a_limit_of_none_is_refused() {
    let _ = Connections::new().max_connections(0);
}

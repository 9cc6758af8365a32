//! The live connections of a process: who is counted, and when they are closed.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::time::Duration;

use common::bounded::{once, until, within};
use common::path::Silent;
use common::{connected, connections, session};
use tokio::time::interval;
use wt_connection::{
    AddError, Connection, ConnectionError, ConnectionState, Connections, Limits, Session,
};

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
async fn an_idle_connection_is_closed_and_an_active_one_is_not() {
    within(async {
        let pair = connected().await;
        let (active, active_there) = connections(&pair.server_endpoint, &pair.connector).await;
        let (_idle_session, idle_there) = session(&pair.client, &pair.server).await;
        let (active_session, _there) = session(&active, &active_there).await;
        let registry = impatient();

        registry.add(&pair.client).unwrap();
        registry.add(&active).unwrap();
        let mut ticks = interval(TICK);
        while pair.client.state() != ConnectionState::Closed {
            ticks.tick().await;
            active_session.send_datagram("busy").unwrap();
        }

        assert_closed(&idle_there, 0, "idle").await;
        assert_eq!(active.state(), ConnectionState::Connected);
        assert_eq!(registry.len(), 1);
        // Then it may be idle, too.
        assert_eq!(active.closed().await, ConnectionError::Closed);
        assert!(registry.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_idle_connections_can_be_switched_off_and_on() {
    within(async {
        let pair = connected().await;
        let registry = impatient();
        registry.add(&pair.client).unwrap();
        let (other, _there) = connections(&pair.server_endpoint, &pair.connector).await;
        let other_registry = impatient();
        other_registry.add(&other).unwrap();

        let _ = registry.clone().idle_timeout(None);
        other.closed().await;
        assert_eq!(pair.client.state(), ConnectionState::Connected);

        let _ = registry.clone().idle_timeout(Some(TICK));
        assert_eq!(pair.client.closed().await, ConnectionError::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_closing_keeps_its_code_though_it_is_idle() {
    within(async {
        let limits = Limits::default().flush_timeout(4 * IDLE);
        let silent = Silent::connect(limits).await;
        let (opened, _there) = session(&silent.client, &silent.server).await;
        let registry = impatient();
        registry.add(&silent.client).unwrap();

        silent.path.swallow();
        silent.client.close(7, "enough").await;

        assert_closed(&opened, 7, "enough").await;
        assert!(registry.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_silent_peer_holds_up_nobody_else_when_all_are_closed() {
    within(async {
        let limits = Limits::default().flush_timeout(Duration::from_secs(1));
        let silent = Silent::connect(limits).await;
        let _silent_session = session(&silent.client, &silent.server).await;
        let pair = connected().await;
        let (_session, there) = session(&pair.client, &pair.server).await;
        let registry = Connections::new();
        registry.add(&silent.client).unwrap();
        registry.add(&pair.client).unwrap();
        silent.path.swallow();

        let mut closed = pin!(registry.close_all(7, "enough"));
        assert_closed(&there, 7, "enough").await;
        pair.client.closed().await;

        assert_eq!(registry.len(), 1, "entries leave as they end");
        assert!(once(closed.as_mut()).await.is_none());
        closed.await;
        assert!(registry.is_empty());
        assert!(silent.client.state().is_final());
    })
    .await;
}

#[tokio::test]
async fn all_are_closed_without_awaiting_and_new_ones_may_come() {
    within(async {
        let pair = connected().await;
        let (_session, there) = session(&pair.client, &pair.server).await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();

        drop(registry.close_all(7, "enough"));
        assert_closed(&there, 7, "enough").await;

        let (other, _there) = connections(&pair.server_endpoint, &pair.connector).await;
        registry.add(&other).unwrap();
        assert_eq!(other.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_was_shut_down_takes_nobody_in() {
    within(async {
        let pair = connected().await;
        let (_session, there) = session(&pair.client, &pair.server).await;
        let (other, _other_there) = connections(&pair.server_endpoint, &pair.connector).await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();

        let shut = registry.shutdown(7, "enough");
        assert_eq!(registry.add(&pair.client), Err(AddError::Closed));
        assert_eq!(registry.add(&other), Err(AddError::Closed));
        shut.await;

        assert_closed(&there, 7, "enough").await;
        assert!(registry.is_empty());
        assert_eq!(registry.stats().refused, 2);
        assert_eq!(other.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn everybody_may_shut_down_and_wait_and_the_first_decides() {
    within(async {
        let pair = connected().await;
        let (_session, there) = session(&pair.client, &pair.server).await;
        let registry = Connections::new();
        registry.add(&pair.client).unwrap();

        let first = registry.shutdown(7, "enough");
        let second = tokio::spawn(registry.clone().shutdown(8, "too late"));
        second.await.unwrap();
        assert!(registry.is_empty());
        first.await;
        registry.shutdown(9, "later still").await;

        assert_closed(&there, 7, "enough").await;
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

#[test]
#[should_panic(expected = "every connection would be idle")]
fn an_idle_timeout_of_zero_is_refused() {
    let _ = Connections::new().idle_timeout(Some(Duration::ZERO));
}

#[test]
#[should_panic(expected = "looking all the time")]
fn an_interval_of_zero_is_refused() {
    let _ = Connections::new().idle_check_interval(Duration::ZERO);
}

async fn assert_closed(session: &Session, code: u32, reason: &str) {
    let error = session.closed().await;
    let close = error.close().unwrap();
    assert_eq!((close.code(), close.reason()), (code, reason));
}

/// Looks often for connections that are soon idle.
fn impatient() -> Connections {
    Connections::new()
        .idle_timeout(Some(IDLE))
        .idle_check_interval(TICK)
}

const IDLE: Duration = Duration::from_millis(400);
const TICK: Duration = Duration::from_millis(20);

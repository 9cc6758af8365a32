//! The live connections of a process: the end of those that nobody uses.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::within;
use common::path::Silent;
use common::{connected, connections, session};
use tokio::time::interval;
use wt_connection::{ConnectionError, ConnectionState, Connections, Limits, Session};

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

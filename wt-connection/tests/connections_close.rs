//! The live connections of a process: how all of them are closed.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;
use std::time::Duration;

use common::bounded::{once, within};
use common::path::Silent;
use common::{connected, connections, session};
use wt_connection::{AddError, ConnectionState, Connections, Limits, Session};

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

async fn assert_closed(session: &Session, code: u32, reason: &str) {
    let error = session.closed().await;
    let close = error.close().unwrap();
    assert_eq!((close.code(), close.reason()), (code, reason));
}

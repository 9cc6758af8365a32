//! Servers that are not what a client that resumes takes them for.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::known::{Known, bind, fit, serve};
use common::{LOOPBACK, target};
use tower::ServiceExt;
use wt_connection::{ConnectionError, Limits, OpenError, SessionError};

#[tokio::test]
async fn a_server_that_has_forgotten_the_client_ends_the_connection_and_is_asked_anew() {
    within(async {
        let mut known = Known::new(true).await;
        known.restart(Limits::default()).await;
        let client = known.connect().await;

        let early = client.open_early(fit()).await.unwrap();
        let mut stream = early.session().open_bi().await.unwrap();
        // It may be told before this.
        let _ = stream.send.write_all(b"question").await;
        let session = early.session().clone();
        let _served = tokio::spawn(serve(known.server.clone()));

        let rejected = ConnectionError::EarlyDataRejected;
        assert_eq!(client.closed().await, rejected);
        assert_eq!(
            session.closed().await,
            SessionError::Connection(rejected.clone())
        );
        assert!(matches!(
            early.accepted().await,
            Err(OpenError::Connection(ConnectionError::EarlyDataRejected))
        ));
        assert!(matches!(
            client.open("/").await,
            Err(OpenError::Connection(ConnectionError::EarlyDataRejected))
        ));
        assert_eq!(client.info().error_count, 1);
        // Anew, and from then on as before.
        for _ in 0..2 {
            let client = known.connect().await;
            let session = client.open_early(fit()).await.unwrap();
            session.accepted().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_announces_less_than_it_had_breaks_the_rules() {
    within(async {
        let mut known = Known::lasting(true).await;
        known.restart(Limits::default().header_block(1000)).await;

        known.is_broken_with().await;
    })
    .await;
}

/// To a client, a session was without bounds that the server counts.
#[tokio::test]
async fn a_server_that_bounds_sessions_anew_breaks_the_rules() {
    within(async {
        let mut known = Known::lasting(true).await;
        known
            .restart(Limits::default().without_flow_control())
            .await;
        known.is_broken_with().await;
        known.connects_early().await;

        known.restart(Limits::default()).await;

        known.is_broken_with().await;
        known.connects_early().await;
    })
    .await;
}

/// Each was sent the newest ticket of them all, and rejected what came with another's.
#[tokio::test]
async fn servers_of_one_name_are_told_apart() {
    within(async {
        let known = Known::new(true).await;
        let local = LOOPBACK.parse().unwrap();
        let other = bind(local, &known.identity, true, Limits::default()).await;
        let servers = [&other, &known.server];
        let _served = servers.map(|server| tokio::spawn(serve(server.clone())));

        for server in [&other, &known.server, &other] {
            let connector = known.connector.clone();
            let client = connector.oneshot(target(server)).await.unwrap();
            let early = client.open_early(fit()).await.unwrap();
            early.accepted().await.unwrap();
        }
    })
    .await;
}

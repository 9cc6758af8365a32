//! Silence: what keeps a connection alive, what one without dies of, and how long it is borne.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::pending;
use std::time::Duration;

use common::bounded::within;
use common::{connections, pair, server_builder, session};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;
use wt_connection::{ConnectError, ConnectionError, ConnectionState, Transport};

#[tokio::test(start_paused = true)]
async fn a_connection_may_take_30_seconds_unless_set() {
    let (_server, connector) = pair();
    let connector = connector.resolver(|_, _| pending());
    let began = Instant::now();

    let connected = connector
        .oneshot("https://example.com".parse().unwrap())
        .await;

    assert!(matches!(connected, Err(ConnectError::TimedOut)));
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn keep_alive_outlasts_the_idle_timeout() {
    within(async {
        let (server, connector) = pair();
        let connector = connector
            .max_idle_timeout(Some(IDLE))
            .keep_alive_interval(Some(OFTEN));
        let (client, there) = connections(&server, &connector).await;
        let (opened, accepted) = session(&client, &there).await;
        let active = client.last_activity();

        let ended = timeout(3 * IDLE, client.closed()).await;

        assert!(ended.is_err(), "{ended:?}");
        assert_eq!(client.last_activity(), active, "a PING is no activity");
        opened.send_datagram("still here").unwrap();
        assert_eq!(accepted.read_datagram().await.unwrap(), "still here");
    })
    .await;
}

#[tokio::test]
async fn keep_alive_of_the_server_does_for_both() {
    within(async {
        let (identity, builder) = server_builder();
        let transport = Transport::default().keep_alive_interval(Some(OFTEN));
        let server = builder.transport(transport).bind().unwrap();
        let connector = common::connector(&identity)
            .max_idle_timeout(Some(IDLE))
            .keep_alive_interval(None);
        let (client, there) = connections(&server, &connector).await;

        let ended = timeout(3 * IDLE, there.closed()).await;

        assert!(ended.is_err(), "{ended:?}");
        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn without_keep_alive_a_silent_connection_dies_on_both_sides() {
    within(async {
        let (server, connector) = pair();
        let connector = connector
            .max_idle_timeout(Some(IDLE))
            .keep_alive_interval(None);
        let (client, there) = connections(&server, &connector).await;
        let (opened, accepted) = session(&client, &there).await;

        let (here, over_there) = tokio::join!(client.closed(), there.closed());

        assert_eq!(here, ConnectionError::TimedOut);
        assert_eq!(over_there, ConnectionError::TimedOut);
        assert_eq!(client.state(), ConnectionState::Failed);
        let lost = wt_connection::SessionError::Connection(ConnectionError::TimedOut);
        assert_eq!(opened.closed().await, lost);
        assert_eq!(accepted.closed().await, lost);
    })
    .await;
}

#[tokio::test]
async fn the_idle_timeout_of_the_server_holds_for_both() {
    within(async {
        let (identity, builder) = server_builder();
        let transport = Transport::default()
            .keep_alive_interval(None)
            .max_idle_timeout(Some(IDLE));
        let server = builder.transport(transport).bind().unwrap();
        let connector = common::connector(&identity).keep_alive_interval(None);
        let (client, there) = connections(&server, &connector).await;

        let (here, over_there) = tokio::join!(client.closed(), there.closed());

        assert_eq!(here, ConnectionError::TimedOut);
        assert_eq!(over_there, ConnectionError::TimedOut);
    })
    .await;
}

const IDLE: Duration = Duration::from_millis(400);
const OFTEN: Duration = Duration::from_millis(100);

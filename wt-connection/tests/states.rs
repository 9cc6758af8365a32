//! Each state of a connection, through one watch, and how soon the end of the peer is noticed.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::within;
use common::child::{Child, serve_if_child};
use common::path::Silent;
use common::{connected, pair, session, target};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::{Service, ServiceExt};
use wt_connection::{Connection, ConnectionState, Limits, PingError};

#[tokio::test]
async fn one_watch_sees_every_state_from_the_first_to_the_last() {
    within(async {
        let (server, mut connector) = pair();
        let connecting = connector.call(target(&server));
        let mut attempt = connecting.states();
        let mut seen = vec![*attempt.borrow_and_update()];
        let connecting = tokio::spawn(connecting);
        seen.push(next(&mut attempt).await);
        let there = server.accept().await.unwrap().await.unwrap();
        let client = connecting.await.unwrap().unwrap();
        seen.push(next(&mut attempt).await);
        let mut connection = client.states();
        // With a session to be told, closing takes a round trip.
        let _session = session(&client, &there).await;

        client.drain();
        seen.push(next(&mut attempt).await);
        let draining = next(&mut connection).await;
        let closing = client.close(1, "enough");
        seen.push(next(&mut attempt).await);
        let over = next(&mut connection).await;
        closing.await;
        seen.push(next(&mut attempt).await);

        let all = [
            ConnectionState::Idle,
            ConnectionState::Connecting,
            ConnectionState::Connected,
            ConnectionState::Draining,
            ConnectionState::Closing,
            ConnectionState::Closed,
        ];
        assert_eq!(seen, all);
        assert_eq!(draining, ConnectionState::Draining);
        assert_eq!(over, ConnectionState::Closing);
        assert_eq!(next(&mut connection).await, ConnectionState::Closed);
    })
    .await;
}

#[tokio::test]
async fn whom_the_peer_tells_to_drain_is_draining_as_the_peer_is() {
    within(async {
        let pair = connected().await;
        let _session = session(&pair.client, &pair.server).await;
        let mut client = pair.client.states();
        let mut server = pair.server.states();

        pair.server.drain();

        assert_eq!(next(&mut server).await, ConnectionState::Draining);
        assert_eq!(next(&mut client).await, ConnectionState::Draining);
        assert!(pair.client.ping(LONG).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_lost_has_failed() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;
        let mut states = silent.client.states();

        silent.path.swallow();

        assert_eq!(next(&mut states).await, ConnectionState::Failed);
        assert_eq!(silent.client.info().state, ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_never_came_to_be_has_failed() {
    within(async {
        let nobody = std::net::UdpSocket::bind(common::LOOPBACK).unwrap();
        let connector = common::bare::connector();
        let mut connector = connector.connect_timeout(Duration::from_millis(50));
        let connecting = connector.call(nobody.local_addr().unwrap().into());
        let mut states = connecting.states();

        connecting.await.unwrap_err();

        assert_eq!(next(&mut states).await, ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_closes_is_noticed_at_once() {
    within(async {
        let mut noticed = Vec::new();
        for _ in 0..5 {
            let pair = connected().await;
            let _session = session(&pair.client, &pair.server).await;
            let mut states = pair.client.states();
            let began = Instant::now();

            let closing = tokio::spawn(pair.server_endpoint.close(0, ""));
            assert_eq!(next(&mut states).await, ConnectionState::Closed);

            noticed.push(began.elapsed());
            closing.await.unwrap();
        }
        noticed.sort();
        assert!(noticed[2] < AT_ONCE, "{noticed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_process_that_ends_in_order_is_noticed_at_once() {
    within(async {
        const NAME: &str = "a_process_that_ends_in_order_is_noticed_at_once";
        if serve_if_child().await {
            return;
        }
        let mut noticed = Vec::new();
        for _ in 0..5 {
            let mut server = Child::start(NAME, common::LOOPBACK.parse().unwrap(), false).await;
            let client = connect(&server).await;
            let _session = client.open("/").await.unwrap();
            let mut states = client.states();
            let began = Instant::now();

            server.end();
            assert_eq!(next(&mut states).await, ConnectionState::Closed);

            noticed.push(began.elapsed());
            assert!(client.closed().await.is_orderly());
        }
        noticed.sort();
        assert!(noticed[2] < AT_ONCE, "{noticed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_killed_is_noticed_by_a_ping_before_the_idle_timeout() {
    within(async {
        const NAME: &str = "a_process_that_is_killed_is_noticed_by_a_ping_before_the_idle_timeout";
        if serve_if_child().await {
            return;
        }
        let mut server = Child::start(NAME, common::LOOPBACK.parse().unwrap(), false).await;
        let client = connect(&server).await;
        client.ping(LONG).await.unwrap();

        server.kill();
        let unanswered = client.ping(AT_ONCE).await;

        assert_eq!(unanswered, Err(PingError::TimedOut));
        assert_eq!(client.state(), ConnectionState::Connected);
    })
    .await;
}

async fn connect(server: &Child) -> Connection {
    let connector = common::bare::connector();
    connector.oneshot(server.address.into()).await.unwrap()
}

/// Waits for the next state.
async fn next(states: &mut watch::Receiver<ConnectionState>) -> ConnectionState {
    states.changed().await.unwrap();
    *states.borrow_and_update()
}

const LONG: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(100);

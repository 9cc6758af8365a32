//! A connection being made: its states, and what is left of one that is given up.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::within;
use common::{connections, pair, server_builder, target};
use tokio::sync::watch;
use tokio_test::{assert_pending, assert_ready, task};
use tower::Service;
use wt_connection::{ConnectionError, ConnectionState};

#[tokio::test]
async fn an_attempt_is_idle_until_it_is_polled() {
    within(async {
        let (server, mut connector) = pair();
        let mut connecting = task::spawn(connector.call(target(&server)));

        let before = connecting.state();
        assert_pending!(connecting.poll());
        let begun = connecting.state();
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (connection, _server) = tokio::join!(&mut *connecting, accept);

        assert_eq!(before, ConnectionState::Idle);
        assert_eq!(begun, ConnectionState::Connecting);
        assert_eq!(connecting.state(), ConnectionState::Connected);
        assert_eq!(connection.unwrap().id(), connecting.id());
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_nobody_polls_sends_nothing() {
    within(async {
        let silent = std::net::UdpSocket::bind(common::LOOPBACK).unwrap();
        silent.set_nonblocking(true).unwrap();
        let mut connector = common::bare::connector();

        let connecting = connector.call(silent.local_addr().unwrap().into());
        tokio::task::yield_now().await;

        assert!(silent.recv(&mut [0; 2000]).is_err());
        assert_eq!(connecting.state(), ConnectionState::Idle);
    })
    .await;
}

#[tokio::test]
async fn the_states_of_an_attempt_become_those_of_its_connection() {
    within(async {
        let (server, mut connector) = pair();
        let connecting = connector.call(target(&server));
        let mut states = connecting.states();
        assert_eq!(*states.borrow_and_update(), ConnectionState::Idle);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let connect = async {
            let connecting = tokio::spawn(connecting);
            next_is(&mut states, ConnectionState::Connecting).await;
            connecting.await.unwrap().unwrap()
        };
        let (client, there) = tokio::join!(connect, accept);
        next_is(&mut states, ConnectionState::Connected).await;

        // With a session to be told, closing takes a round trip.
        let _session = common::session(&client, &there).await;
        let closing = client.close(1, "enough");
        next_is(&mut states, ConnectionState::Closing).await;
        closing.await;

        next_is(&mut states, ConnectionState::Closed).await;
        assert_eq!(client.state(), ConnectionState::Closed);
    })
    .await;
}

#[tokio::test]
async fn a_failed_attempt_ends_failed() {
    within(async {
        let (server, mut connector) = pair();
        let mut connecting = connector.call(target(&server));
        let mut states = connecting.states();
        let refuse = async { server.accept().await.unwrap().refuse() };

        let (outcome, ()) = tokio::join!(&mut connecting, refuse);

        assert!(outcome.is_err());
        assert_eq!(connecting.state(), ConnectionState::Failed);
        next_is(&mut states, ConnectionState::Failed).await;
    })
    .await;
}

/// The server's orderly end was taken for that of a connection, and the state for `Closed`.
#[tokio::test]
async fn an_attempt_that_the_server_ends_in_order_ends_failed() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let accept = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            connection.close(0x100_u32.into(), b"");
        };
        let mut connecting = common::bare::connector().call(common::bare::target(&server));

        let (outcome, ()) = tokio::join!(&mut connecting, accept);

        assert!(outcome.is_err());
        assert_eq!(connecting.state(), ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_attempt_ends_failed() {
    within(async {
        let (server, mut connector) = pair();
        let unpolled = connector.call(target(&server));
        let mut polled = task::spawn(connector.call(target(&server)));
        assert_pending!(polled.poll());
        let (mut first, mut second) = (unpolled.states(), polled.states());

        drop((unpolled, polled));

        next_is(&mut first, ConnectionState::Failed).await;
        next_is(&mut second, ConnectionState::Failed).await;
    })
    .await;
}

#[tokio::test]
async fn an_attempt_dropped_during_the_handshake_leaves_no_connection() {
    within(async {
        let (server, mut connector) = pair();
        let mut connecting = task::spawn(connector.call(target(&server)));
        assert_pending!(connecting.poll());
        let incoming = server.accept().await.unwrap();

        drop(connecting);
        let outcome = incoming.await;

        assert!(outcome.is_err());
        server.quic().wait_idle().await;
        assert_eq!(server.open_connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_dropped_before_the_settings_closes_its_connection() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let connecting =
            tokio::spawn(common::bare::connector().call(common::bare::target(&server)));
        let connection = server.accept().await.unwrap().await.unwrap();
        // The client's control stream: its handshake is over.
        let _control = connection.accept_uni().await.unwrap();

        connecting.abort();

        let quinn::ConnectionError::ApplicationClosed(close) = connection.closed().await else {
            panic!("closed otherwise");
        };
        assert_eq!(close.error_code.into_inner(), common::bare::H3_NO_ERROR);
    })
    .await;
}

#[tokio::test]
async fn an_accepted_connection_dropped_before_the_settings_is_closed() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let client = common::bare::client(identity.certificate_chain()[0].clone());
        let accepting = {
            let server = server.clone();
            tokio::spawn(async move { server.accept().await.unwrap().await })
        };
        let connecting = client.connect(common::address(&server), "localhost");
        let connection = connecting.unwrap().await.unwrap();
        let _control = connection.accept_uni().await.unwrap();

        accepting.abort();

        let error = ConnectionError::from(connection.closed().await);
        assert!(error.is_orderly(), "{error:?}");
        server.quic().wait_idle().await;
        assert_eq!(server.open_connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_accepted_connection_has_states_too() {
    within(async {
        let (server, connector) = pair();
        let accept = async {
            let mut connecting = server.accept().await.unwrap().accept();
            let before = connecting.state();
            let connection = (&mut connecting).await.unwrap();
            (before, connecting.state(), connection)
        };
        let connect = tower::ServiceExt::oneshot(connector, target(&server));

        let (client, (before, after, connection)) = tokio::join!(connect, accept);

        assert!(client.is_ok());
        assert_eq!(before, ConnectionState::Idle);
        assert_eq!(after, ConnectionState::Connected);
        assert_eq!(connection.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn a_connector_is_always_ready() {
    let (_server, connector) = pair();
    let mut connector = task::spawn(connector);

    let ready = connector.enter(|cx, connector| connector.get_mut().poll_ready(cx));

    assert!(assert_ready!(ready).is_ok());
}

#[tokio::test]
async fn dropping_the_future_of_a_made_connection_does_not_touch_it() {
    within(async {
        let (server, connector) = pair();

        // Both futures are gone once these are there.
        let (client, there) = connections(&server, &connector).await;

        let ended = tokio::time::timeout(Duration::from_millis(100), client.closed()).await;
        assert!(ended.is_err());
        assert_eq!(there.state(), ConnectionState::Connected);
    })
    .await;
}

/// Waits for the next change, which must lead to `expected`.
async fn next_is(states: &mut watch::Receiver<ConnectionState>, expected: ConnectionState) {
    states.changed().await.unwrap();
    assert_eq!(*states.borrow_and_update(), expected);
}

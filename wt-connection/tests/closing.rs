//! The orderly end of connections and endpoints.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::UdpSocket;

use common::bounded::within;
use common::{Pair, address, connected, connections, pair, session, target};
use tokio::runtime::Handle;
use tower::ServiceExt;
use wt_connection::{
    ConnectError, ConnectionError, ConnectionState, Connector, DangerousNoVerification, Endpoint,
    Session, SessionError, Trust,
};

#[tokio::test]
async fn closing_a_connection_tells_each_session_code_and_reason() {
    within(async {
        let pair = connected().await;
        let (first, first_there) = session(&pair.client, &pair.server).await;
        let (second, second_there) = session(&pair.client, &pair.server).await;

        pair.client.close(7, "enough").await;

        for session in [&first, &second] {
            assert!(matches!(said(session).await, SessionError::Closed(_)));
        }
        for session in [&first_there, &second_there] {
            assert!(matches!(said(session).await, SessionError::ClosedByPeer(_)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_connection_is_closed_here_and_orderly_there() {
    within(async {
        for server_closes in [false, true] {
            let pair = connected().await;
            let (closer, other) = if server_closes {
                (&pair.server, &pair.client)
            } else {
                (&pair.client, &pair.server)
            };

            closer.close(7, "enough").await;

            assert_eq!(closer.closed().await, ConnectionError::Closed);
            let there = other.closed().await;
            assert!(there.is_orderly(), "{there:?}");
            assert_eq!(closer.state(), ConnectionState::Closed);
            assert_eq!(other.state(), ConnectionState::Closed);
            assert_eq!(other.accept().await.unwrap_err(), there);
        }
    })
    .await;
}

#[tokio::test]
async fn the_first_close_decides_and_everybody_may_wait() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;

        let first = pair.client.close(7, "enough");
        let second = pair.client.clone().close(8, "too late");
        let third = {
            let client = pair.client.clone();
            tokio::spawn(async move { client.close(9, "later still").await })
        };
        tokio::join!(second, first);
        third.await.unwrap();
        pair.client.close(10, "over").await;

        said(&opened).await;
        said(&accepted).await;
    })
    .await;
}

#[tokio::test]
async fn a_close_that_nobody_awaits_happens_all_the_same() {
    within(async {
        let pair = connected().await;
        let (_opened, accepted) = session(&pair.client, &pair.server).await;

        drop(pair.client.close(7, "enough"));

        said(&accepted).await;
        assert!(pair.server.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn the_last_handle_closes_the_connection_in_order() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;

        drop(pair.client);
        let mut stream = opened.open_uni().await.unwrap();
        drop(opened);
        stream.write_all(b"last words").await.unwrap();
        stream.finish().unwrap();
        drop(stream);

        let mut received = accepted.accept_uni().await.unwrap();
        assert_eq!(received.read_to_end(100).await.unwrap(), b"last words");
        drop((received, accepted));
        assert!(pair.server.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn closing_an_endpoint_tells_every_session_code_and_reason() {
    within(async {
        let (server, connector) = pair();
        let mut there = Vec::new();
        let mut here = Vec::new();
        for _ in 0..3 {
            let (client, served) = connections(&server, &connector).await;
            let (opened, accepted) = session(&client, &served).await;
            here.push((client, opened));
            there.push((served, accepted));
        }

        server.close(7, "enough").await;

        for (client, opened) in &here {
            assert!(matches!(said(opened).await, SessionError::ClosedByPeer(_)));
            let error = client.closed().await;
            assert!(error.is_orderly(), "{error:?}");
        }
        for (served, _) in &there {
            assert_eq!(served.closed().await, ConnectionError::Closed);
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_endpoint_neither_accepts_nor_connects() {
    within(async {
        let (server, _) = pair();
        let trust = Trust::from(DangerousNoVerification);
        let client = Endpoint::builder().address(common::LOOPBACK.parse().unwrap());
        let client = client.trust(trust).bind().unwrap();
        let waiting = {
            let server = server.clone();
            tokio::spawn(async move { server.accept().await.is_none() })
        };

        server.close(0, "").await;
        client.close(0, "").await;

        assert!(waiting.await.unwrap(), "whoever waited is told");
        assert!(server.accept().await.is_none());
        let error = Connector::new(client).oneshot(target(&server)).await;
        assert!(matches!(error, Err(ConnectError::Local(_))), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_begins_to_close_accepts_nobody_more() {
    within(async {
        let (server, _) = pair();

        let closing = server.close(0, "");
        let accepted = server.accept().await;

        assert!(accepted.is_none());
        closing.await;
    })
    .await;
}

#[tokio::test]
async fn everybody_may_wait_for_an_endpoint_and_the_first_close_decides() {
    within(async {
        let (server, connector) = pair();
        let (client, served) = connections(&server, &connector).await;
        let (opened, _accepted) = session(&client, &served).await;

        let first = server.close(7, "enough");
        let second = server.clone().close(8, "too late");
        let third = tokio::spawn(server.close(9, "later still"));
        tokio::join!(second, first);
        third.await.unwrap();
        server.close(10, "over").await;

        said(&opened).await;
        assert_eq!(server.open_connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_up_the_close() {
    within(async {
        let (server, connector) = pair();
        let connect = tokio::spawn(connector.oneshot(target(&server)));
        let incoming = server.accept().await.unwrap();

        server.close(0, "").await;

        assert!(incoming.await.is_err());
        assert!(connect.await.unwrap().is_err());
    })
    .await;
}

/// It stayed in the queue, so that the client waited for its own timeout.
#[tokio::test]
async fn a_connection_that_nobody_has_accepted_is_refused_by_the_close() {
    within(async {
        let (server, connector) = pair();
        let (client, served) = connections(&server, &connector).await;
        let waiting = tokio::spawn(connector.oneshot(target(&server)));
        tokio::task::yield_now().await;
        // On the same socket, so that the other's first packet has come before.
        let _session = session(&client, &served).await;

        server.close(0, "").await;

        let error = waiting.await.unwrap();
        assert!(matches!(error, Err(ConnectError::Refused)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_once_everything_is_dropped() {
    within(async {
        let pair = connected().await;
        let port = address(&pair.server_endpoint);
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let (mut sent, _bi) = (opened.open_uni().await.unwrap(), opened.open_bi().await);
        sent.write_all(b"unread").await.unwrap();

        drop((sent, _bi, opened, accepted));
        let Pair {
            client,
            server,
            server_endpoint,
            connector,
        } = pair;
        drop((client, server, server_endpoint, connector));

        nothing_runs().await;
        UdpSocket::bind(port).unwrap();
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_a_closed_endpoint() {
    within(async {
        let pair = connected().await;
        let port = address(&pair.server_endpoint);
        let session = session(&pair.client, &pair.server).await;

        pair.server_endpoint.close(0, "").await;
        drop((pair, session));

        nothing_runs().await;
        UdpSocket::bind(port).unwrap();
    })
    .await;
}

/// How a session ended, which must be by code 7, "enough".
async fn said(session: &Session) -> SessionError {
    let error = session.closed().await;
    let close = error.close().unwrap();
    assert_eq!((close.code(), close.reason()), (7, "enough"));
    error
}

/// Waits until no task is left on this runtime.
async fn nothing_runs() {
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

//! What a server may do with a connection that a client has begun.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bounded::within;
use common::{connector, pair, server_builder, session, target};
use tower::ServiceExt;
use wt_connection::{ConnectError, Limits};

#[tokio::test]
async fn an_accepted_connection_knows_its_client() {
    within(async {
        let (server, connector) = pair();
        let accept = async {
            let incoming = server.accept().await.unwrap();
            let remote = incoming.remote_address();
            (remote, incoming.accept().await.unwrap())
        };

        let (client, (remote, there)) = tokio::join!(connector.oneshot(target(&server)), accept);

        let client = client.unwrap();
        assert_eq!(remote, there.remote_address());
        assert_eq!(there.state(), client.state());
        let local_ip = client.quic().local_ip();
        assert!(local_ip.is_none_or(|ip| ip == remote.ip()));
    })
    .await;
}

#[tokio::test]
async fn an_ignored_connection_learns_it_by_its_timeout() {
    within(async {
        let (server, connector) = pair();
        let connector = connector.connect_timeout(Duration::from_millis(300));
        let ignore = async {
            // The client repeats itself, and each time is another connection.
            loop {
                server.accept().await.unwrap().ignore();
            }
        };

        let error = tokio::select! {
            error = connector.oneshot(target(&server)) => error,
            () = ignore => unreachable!(),
        };

        assert!(matches!(error, Err(ConnectError::TimedOut)), "{error:?}");
        assert_eq!(server.open_connections(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_to_prove_its_address_comes_back_validated() {
    within(async {
        let (server, connector) = pair();
        let accept = async {
            let first = server.accept().await.unwrap();
            let (validated_before, remote) = (first.is_address_validated(), first.remote_address());
            first.validate_address().unwrap();
            let second = server.accept().await.unwrap();
            assert_eq!(second.remote_address(), remote);
            let validated_after = second.is_address_validated();
            let given_back = second.validate_address().unwrap_err();
            let there = given_back.await.unwrap();
            (validated_before, validated_after, there)
        };

        let (client, (before, after, there)) =
            tokio::join!(connector.oneshot(target(&server)), accept);

        assert!(!before);
        assert!(after);
        let (opened, accepted) = session(&client.unwrap(), &there).await;
        assert_eq!(opened.id(), accepted.id());
    })
    .await;
}

#[tokio::test]
async fn one_connection_that_is_not_answered_holds_up_no_other() {
    within(async {
        let (server, connector) = pair();
        let mut waiting = tokio_test::task::spawn(connector.clone().oneshot(target(&server)));
        tokio_test::assert_pending!(waiting.poll());
        let unanswered = server.accept().await.unwrap();

        let (client, there) = common::connections(&server, &connector).await;

        let (opened, accepted) = session(&client, &there).await;
        assert_eq!(opened.id(), accepted.id());
        let (late, there) = tokio::join!(waiting, unanswered);
        assert!(late.is_ok() && there.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_client_without_webtransport_is_a_connection_without_sessions() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let client = common::bare::client(identity.certificate_chain()[0].clone());
        let address = common::address(&server);
        let connect = async {
            let connecting = client.connect(address, "localhost").unwrap();
            let connection = connecting.await.unwrap();
            let control = common::bare::open_control(&connection, common::bare::PLAIN).await;
            (connection, control)
        };
        let accept = async { server.accept().await.unwrap().await };

        let ((connection, _control), there) = tokio::join!(connect, accept);
        let there = there.unwrap();
        connection.close(0x100_u32.into(), b"");

        assert!(there.accept().await.unwrap_err().is_orderly());
    })
    .await;
}

#[tokio::test]
async fn the_limits_of_the_endpoint_are_those_of_its_connections() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.limits(Limits::default().max_sessions(3));
        let server = server.bind().unwrap();

        let (client, there) = common::connections(&server, &connector(&identity)).await;

        assert_eq!((client.max_sessions(), there.max_sessions()), (3, 3));
    })
    .await;
}

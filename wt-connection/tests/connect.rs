//! Connecting: by literal, by name, from an endpoint that serves as well.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::bounded::within;
use common::{LOOPBACK, address, connections, pair, server_builder, session};
use tokio::time::Instant;
use tower::ServiceExt;
use wt_connection::{
    ConnectError, Connector, DangerousNoVerification, Endpoint, Identity, Session, Target, Trust,
};

#[tokio::test]
async fn one_endpoint_connects_and_accepts_at_once() {
    within(async {
        let (one, other) = (both_roles(), both_roles());
        let (from_one, from_other) = (Connector::new(one.clone()), Connector::new(other.clone()));

        let (there, back) = tokio::join!(
            connections(&other, &from_one),
            connections(&one, &from_other)
        );

        for (client, server) in [there, back] {
            let (opened, accepted) = session(&client, &server).await;
            assert_eq!(opened.id(), accepted.id());
        }
        assert_eq!((one.open_connections(), other.open_connections()), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_connects_to_itself() {
    within(async {
        let endpoint = both_roles();
        let connector = Connector::new(endpoint.clone());

        let (client, server) = connections(&endpoint, &connector).await;

        let (opened, accepted) = session(&client, &server).await;
        accepted.close(7, "seen");
        assert_eq!(opened.closed().await.close().unwrap().code(), 7);
    })
    .await;
}

#[tokio::test]
async fn a_server_of_one_family_is_reached_by_its_literal() {
    within(async {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let (identity, builder) = server_builder();
            let server = builder.address(local.parse().unwrap()).bind().unwrap();
            let url = format!("https://{}/room/7?seat=2", address(&server));

            let (_session, uri) = open(&server, &client_of_both(&identity), &url).await;

            assert_eq!(uri, url);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dual_stack_server_is_reached_by_both_literals() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.address("[::]:0".parse().unwrap()).bind().unwrap();
        let connector = client_of_both(&identity);

        for host in ["127.0.0.1", "[::1]"] {
            let url = format!("https://{host}:{}/", address(&server).port());
            let (session, _) = open(&server, &connector, &url).await;

            let remote = session.connection().remote_address();
            assert_eq!(
                remote.ip().to_string(),
                host.trim_matches(['[', ']']),
                "not mapped"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn opening_a_url_gives_a_session_at_its_path() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.address("[::]:0".parse().unwrap()).bind().unwrap();
        let url = format!("https://localhost:{}/echo", address(&server).port());

        let (session, uri) = open(&server, &client_of_both(&identity), &url).await;

        assert_eq!(uri, url);
        assert_eq!(session.connection().max_sessions(), 128);
    })
    .await;
}

#[tokio::test]
async fn the_connection_of_an_opened_url_lives_as_long_as_its_session() {
    within(async {
        let (server, connector) = pair();
        let url = format!("https://{}/", address(&server));
        let accept = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            let session = connection.accept().await.unwrap().accept().await.unwrap();
            (connection, session)
        };
        let (client, (connection, session)) = tokio::join!(connector.open(&url), accept);

        drop(client.unwrap());

        assert_eq!(session.closed().await.close().unwrap().code(), 0);
        assert!(connection.closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn the_resolver_is_asked_for_host_and_port() {
    within(async {
        let (server, connector) = pair();
        let address = address(&server);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = Arc::clone(&asked);
        let connector = connector.resolver(move |host, port| {
            questions.lock().unwrap().push((host, port));
            async move { Ok(vec![address]) }
        });

        let url = "https://server.invalid:4433/a";
        let (_session, uri) = open(&server, &connector, url).await;

        assert_eq!(uri, url);
        assert_eq!(
            *asked.lock().unwrap(),
            [("server.invalid".to_owned(), 4433)]
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_set_by_hand_asks_no_resolver() {
    within(async {
        let (server, connector) = pair();
        let connector = connector.resolver(answer(Vec::new));

        let (client, _server) = connections(&server, &connector).await;

        assert_eq!(client.remote_address(), address(&server));
    })
    .await;
}

#[tokio::test]
async fn a_silent_address_costs_a_moment_and_the_next_one_wins() {
    within(async {
        let (server, connector) = pair();
        let silent = UdpSocket::bind(LOOPBACK).unwrap();
        let addresses = vec![silent.local_addr().unwrap(), address(&server)];
        let connector = connector.resolver(answer(move || addresses.clone()));
        let began = Instant::now();

        let (session, _) = open(&server, &connector, "https://server.invalid/").await;

        let took = began.elapsed();
        assert_eq!(session.connection().remote_address(), address(&server));
        assert!(took >= Duration::from_millis(250), "{took:?}");
        assert!(took < Duration::from_millis(900), "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn the_loser_of_a_race_is_given_up() {
    within(async {
        let (winner, connector) = pair();
        let (_, builder) = server_builder();
        let loser = builder.bind().unwrap();
        let addresses = vec![address(&loser), address(&winner)];
        let connector = connector.resolver(answer(move || addresses.clone()));

        let (session, _) = open(&winner, &connector, "https://server.invalid/").await;

        // Begun before the winner, and not accepted until after.
        let late = loser.accept().await.unwrap().await;
        assert!(late.is_err(), "{late:?}");
        assert_eq!(session.connection().remote_address(), address(&winner));
    })
    .await;
}

#[tokio::test]
async fn a_name_without_an_address_is_not_found() {
    within(async {
        let (_, connector) = pair();
        let target: Target = "https://server.invalid".parse().unwrap();
        let failing = connector
            .clone()
            .resolver(|_, _| async { Err::<Vec<SocketAddr>, _>(io::Error::other("no such name")) });
        let empty = connector.resolver(answer(Vec::new));

        let failed = failing.oneshot(target.clone()).await.unwrap_err();
        let found_none = empty.oneshot(target).await.unwrap_err();

        let ConnectError::NameNotFound(cause) = failed else {
            panic!("{failed:?}");
        };
        assert_eq!(cause.to_string(), "no such name");
        assert!(matches!(found_none, ConnectError::NameNotFound(_)));
    })
    .await;
}

#[tokio::test]
async fn a_clone_of_a_connector_shares_the_endpoint_and_has_its_own_settings() {
    within(async {
        let (server, connector) = pair();
        let unable = connector.clone().resolver(answer(Vec::new));

        let (_first, first) = connections(&server, &connector).await;
        let (_second, second) = connections(&server, &unable).await;
        let by_name = unable.open("https://localhost:1").await;

        assert_eq!(first.remote_address(), second.remote_address());
        assert!(by_name.is_err());
    })
    .await;
}

/// An endpoint that accepts, and believes the likes of itself.
fn both_roles() -> Endpoint {
    let (_, builder) = server_builder();
    let trust = Trust::from(DangerousNoVerification);
    builder.trust(trust).bind().unwrap()
}

fn client_of_both(identity: &Identity) -> Connector {
    let trust = Trust::hashes([identity.certificate_hash()]);
    Connector::new(Endpoint::client(trust).unwrap())
}

/// Opens `url`, and gives the session, and the URI that the server saw.
async fn open(server: &Endpoint, connector: &Connector, url: &str) -> (Session, String) {
    let accept = async {
        let connection = server.accept().await.unwrap().await.unwrap();
        let request = connection.accept().await.unwrap();
        let uri = request.uri().to_string();
        // Dropped at the end, which the client does not wait for.
        (connection, request.accept().await.unwrap(), uri)
    };
    let (session, (_, _, uri)) = tokio::join!(connector.open(url), accept);
    (session.unwrap(), uri)
}

type Answer = std::future::Ready<io::Result<Vec<SocketAddr>>>;

fn answer(addresses: impl Fn() -> Vec<SocketAddr>) -> impl Fn(String, u16) -> Answer {
    move |_, _| std::future::ready(Ok(addresses()))
}

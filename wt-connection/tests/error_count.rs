//! What counts as an error of a connection, and what does not.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bare;
use common::bounded::{until, within};
use common::path::Silent;
use common::plain::{self, Exchange};
use common::raw::{self, reset_code};
use common::serve::{BoxError, Served, count, reply};
use common::{connected, session};
use http::Request;
use tower::Service;
use wt_connection::{Body, ConnectError, Connection, Connections, Limits, OpenError, RequestError};

#[tokio::test]
async fn a_malformed_request_is_an_error() {
    within(async {
        let (_endpoint, peer, server) = raw::client(Limits::default()).await;

        let malformed = raw::headers(&[(":method", "CONNECT"), (":protocol", "webtransport")]);
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&malformed).await.unwrap();
        reset_code(&mut recv).await;

        assert_eq!(errors(&server), 1);
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_malformed_beside_sessions_are_errors() {
    within(async {
        let connections = Connections::new();
        let kept = connections.clone();
        let service = tower::service_fn(async |request: Request<Body>| {
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            count(request.into_body()).await;
            Ok::<_, BoxError>(reply("taken"))
        });
        let served = Served::set(
            Limits::default(),
            move |server| server.connections(kept),
            service,
        );
        let peer = served.raw().await;

        let wrong = raw::request("POST", "/", &[("content-length", "x")]);
        let too_long = raw::request("POST", "/", &[("content-length", "1")]);
        let too_long = [too_long, raw::data(b"two")].concat();
        for malformed in [wrong, too_long] {
            let (mut send, _recv) = peer.connect_stream().await;
            send.write_all(&malformed).await.unwrap();
            raw::stop_code(&send).await;
        }

        assert_eq!(errors(&connections.all()[0]), 2);
        // Datagrams for them, whether or not their content is read.
        for path in ["/", "/never"] {
            let (mut send, mut recv) = peer.connect_stream().await;
            let head = raw::request("POST", path, &[]);
            send.write_all(&head).await.unwrap();
            peer.datagram(send.id().into(), b"datagram");
            reset_code(&mut recv).await;
        }
        assert_eq!(errors(&connections.all()[0]), 4);
    })
    .await;
}

#[tokio::test]
async fn a_session_over_the_limit_is_an_error() {
    within(async {
        let peer = raw::session(Limits::default().max_sessions(1)).await;

        let (mut send, mut recv) = peer.peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        reset_code(&mut recv).await;

        assert_eq!(errors(&peer.connection), 1);
    })
    .await;
}

#[tokio::test]
async fn a_session_ended_by_a_broken_protocol_is_an_error() {
    within(async {
        let mut peer = raw::session(Limits::default()).await;

        let capsules = [raw::close_capsule(7, b""), raw::drain_capsule()].concat();
        peer.send.write_all(&raw::data(&capsules)).await.unwrap();
        peer.session.closed().await;

        assert_eq!(errors(&peer.connection), 1);
    })
    .await;
}

#[tokio::test]
async fn early_streams_and_datagrams_that_are_refused_are_errors() {
    within(async {
        let limits = Limits::default().early_streams(0).early_datagrams(0);
        let (_endpoint, peer, server) = raw::client(limits).await;

        peer.uni(0, b"early").await.stopped().await.unwrap();
        peer.datagram(0, b"early");
        until(|| server.refused_early() == 2).await;

        assert_eq!(errors(&server), 2);
    })
    .await;
}

#[tokio::test]
async fn datagrams_that_nobody_reads_are_errors_that_survive_their_session() {
    within(async {
        let mut peer = raw::session(Limits::default().received_datagrams(1)).await;

        for _ in 0..4 {
            peer.peer.datagram(peer.id(), b"unread");
        }
        until(|| peer.session.dropped_datagrams() == 3).await;
        peer.send.finish().unwrap();
        peer.session.closed().await;

        assert_eq!(errors(&peer.connection), 3);
    })
    .await;
}

#[tokio::test]
async fn a_malformed_response_is_an_error_of_the_client_s() {
    within(async {
        let (peer, client, _connector) = raw::server(&raw::ENABLED).await;
        let answer = async {
            let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();
            send.write_all(&raw::headers(&[("no", "status")]))
                .await
                .unwrap();
            let _ = send.stopped().await;
        };

        let (opened, ()) = tokio::join!(client.open("/"), answer);

        assert!(matches!(opened, Err(OpenError::Malformed)), "{opened:?}");
        assert_eq!(errors(&client), 1);
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_slow_to_say_what_it_is_is_an_error() {
    within(async {
        let limits = Limits::default().header_timeout(Duration::from_secs(1));
        let (_endpoint, peer, server) = raw::client(limits).await;

        let mut half = peer.quic.open_uni().await.unwrap();
        half.write_all(&[0x40]).await.unwrap();
        raw::stop_code(&half).await;

        assert_eq!(errors(&server), 1);
    })
    .await;
}

#[tokio::test]
async fn a_malformed_response_to_a_plain_request_is_an_error_of_the_client_s() {
    within(async {
        let (peer, client, _connector) = raw::server(&raw::ENABLED).await;
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            exchange.end(&raw::headers(&[("no", "status")])).await;
            exchange
        };

        let (response, _exchange) = tokio::join!(plain::ask(&client, plain::get("/")), answer);

        assert!(matches!(response, Err(RequestError::Malformed)));
        assert_eq!(errors(&client), 1);
    })
    .await;
}

#[tokio::test]
async fn a_subprotocol_that_was_not_offered_is_an_error_of_the_client_s() {
    within(async {
        let (peer, client, _connector) = raw::server(&raw::ENABLED).await;
        let answer = async {
            let mut exchange = Exchange::accept(&peer).await;
            let chosen = [(":status", "200"), ("wt-protocol", "\"chat.v9\"")];
            exchange.write(&raw::headers(&chosen)).await;
            exchange
        };

        let (opened, _exchange) = tokio::join!(client.open("/"), answer);

        assert!(matches!(opened, Err(OpenError::WrongProtocol(_))));
        assert_eq!(errors(&client), 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_sends_its_settings_is_an_error() {
    within(async {
        let server = bare::server(Some(b"h3"));
        let connector = bare::connector().connect_timeout(Duration::from_secs(1));
        let mut connecting = connector.clone().call(bare::target(&server));
        let accept = async { server.accept().await.unwrap().await.unwrap() };

        let (outcome, _quic) = tokio::join!(&mut connecting, accept);

        assert!(matches!(outcome, Err(ConnectError::TimedOut)));
        assert_eq!(connecting.info().error_count, 1);
    })
    .await;
}

#[tokio::test]
async fn a_broken_connection_is_an_error_of_the_side_that_finds_it() {
    within(async {
        let (_endpoint, mut peer, server) = raw::client(Limits::default()).await;

        peer.control.reset(0_u8.into()).unwrap();
        server.closed().await;

        assert_eq!(errors(&server), 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_lost_is_an_error() {
    within(async {
        let silent = Silent::connect(Limits::default()).await;

        silent.path.swallow();
        silent.client.closed().await;

        assert_eq!(errors(&silent.client), 1);
    })
    .await;
}

#[tokio::test]
async fn what_applications_do_is_no_error() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;

        let mut bi = opened.open_bi().await.unwrap();
        bi.send.write_all(b"a").await.unwrap();
        let mut there = accepted.accept_bi().await.unwrap();
        bi.send.reset(1).unwrap();
        there.recv.stop(2).unwrap();
        let reject = async {
            let request = pair.server.accept().await.unwrap();
            request.reject(http::StatusCode::FORBIDDEN).await.unwrap();
        };
        let (rejected, ()) = tokio::join!(pair.client.open("/"), reject);
        opened.close(7, "enough");
        accepted.closed().await;
        opened.closed().await;
        pair.client.close(8, "enough").await;
        pair.server.closed().await;

        assert!(matches!(rejected, Err(OpenError::Rejected(_))));
        assert_eq!((errors(&pair.client), errors(&pair.server)), (0, 0));
    })
    .await;
}

fn errors(connection: &Connection) -> u64 {
    connection.info().error_count
}

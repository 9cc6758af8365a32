//! What is left by a request for a session, or a connection, that is dropped before it is done.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bounded::{cancel, once, within};
use common::raw::{self, ENABLED, H3_REQUEST_CANCELLED};
use common::{Pair, connected, connections, connector, server_builder, session};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tower::Service;
use wt_connection::{Connection, ConnectionState, Limits, OpenError, SessionError};

#[tokio::test]
async fn a_cancelled_accept_leaves_the_request_to_the_next() {
    within(async {
        let pair = connected().await;
        let mut woken = Box::pin(pair.server.accept());
        let mut next = pin!(pair.server.accept());
        assert!(once(woken.as_mut()).await.is_none());
        assert!(once(next.as_mut()).await.is_none());

        let mut opening = pin!(pair.client.open("/path"));
        assert!(once(opening.as_mut()).await.is_none());
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        drop(woken);

        assert_eq!(next.await.unwrap().uri().path(), "/path");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_wait_for_the_connections_end_is_told_the_same_later() {
    within(async {
        let pair = connected().await;

        cancel(pair.client.closed()).await;
        pair.server.close(0, "").await;

        let closed = pair.client.closed().await;
        assert!(closed.is_orderly());
        assert_eq!(pair.client.closed().await, closed);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_open_that_waited_for_a_place_takes_none() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        let (first, _first_there) = session(&client, &server).await;

        for _ in 0..3 {
            cancel(client.open("/")).await;
        }
        first.close(0, "");
        first.closed().await;

        session(&client, &server).await;
    })
    .await;
}

#[tokio::test]
async fn a_place_reserved_and_not_used_is_given_back() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;

        let mut reserved = client.clone();
        reserved.ready().await.unwrap();
        let mut waiting = client.clone();
        cancel(waiting.ready()).await;
        drop((waiting, reserved));

        session(&client, &server).await;
    })
    .await;
}

#[tokio::test]
async fn an_open_cancelled_before_its_answer_gives_place_and_session_up() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        for _ in 0..10 {
            let mut opening = Box::pin(client.open("/"));
            let request = tokio::select! {
                opened = &mut opening => panic!("nobody has answered: {opened:?}"),
                request = server.accept() => request.unwrap(),
            };

            drop(opening);
            assert_given_up(request.accept().await).await;
        }

        session(&client, &server).await;
    })
    .await;
}

#[tokio::test]
async fn an_opening_dropped_before_its_answer_gives_place_and_session_up() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        let mut service = client.clone();
        let request = Request::get("/").body(()).unwrap();
        let mut opening = service.ready().await.unwrap().call(request);
        assert!(once(pin!(&mut opening)).await.is_none());
        let request = server.accept().await.unwrap();

        drop(opening);

        assert_given_up(request.accept().await).await;
        session(&client, &server).await;
    })
    .await;
}

#[tokio::test]
async fn an_open_cancelled_at_the_limit_does_not_cost_the_next_its_place() {
    // The client freed the place at once, and the server, which still counted the cancelled
    // session, refused the next.
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        tokio::spawn(async move {
            while let Ok(request) = server.accept().await {
                if let Ok(session) = request.accept().await {
                    tokio::spawn(async move { session.closed().await });
                }
            }
        });

        for turns in (0..20).cycle().take(100) {
            let mut opening = Box::pin(client.open("/"));
            let _ = once(opening.as_mut()).await;
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            drop(opening);
            let session = client.open("/").await.unwrap();
            session.close(0, "");
        }
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_never_polled_asks_for_nothing() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        let mut service = client.clone();
        let request = Request::get("/dropped").body(()).unwrap();

        drop(service.ready().await.unwrap().call(request));
        let (_, there) = session(&client, &server).await;

        assert_eq!(there.id().to_string(), "0");
    })
    .await;
}

#[tokio::test]
async fn an_open_dropped_with_its_answer_on_the_way_gives_the_session_up() {
    within(async {
        let (_endpoints, client, server) = one_at_a_time().await;
        let mut opening = Box::pin(client.open("/"));
        assert!(once(opening.as_mut()).await.is_none());
        let accepted = server.accept().await.unwrap().accept().await;

        drop(opening);

        assert_given_up(accepted).await;
        session(&client, &server).await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_open_tells_the_server_with_http_3s_code() {
    within(async {
        let (peer, client, _connector) = raw::server(&ENABLED).await;
        let mut opening = Box::pin(client.open("/"));
        assert!(once(opening.as_mut()).await.is_none());
        let (_send, mut recv) = peer.quic.accept_bi().await.unwrap();
        raw::read_frame(&mut recv).await;

        drop(opening);

        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        let reset = quinn::ReadError::Reset(code);
        assert_eq!(recv.read(&mut [0]).await, Err(reset));
    })
    .await;
}

#[tokio::test]
async fn an_answer_cancelled_before_it_began_is_a_500() {
    within(async {
        let pair = connected().await;
        let (opening, request) = ask(&pair.client, &pair.server).await;
        drop(request.accept());
        assert_rejected(opening.await.unwrap());

        let (opening, request) = ask(&pair.client, &pair.server).await;
        drop(request.reject(StatusCode::NOT_FOUND));
        assert_rejected(opening.await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_answer_cancelled_halfway_aborts_the_request() {
    within(async {
        let pair = narrow_server().await;
        let mut headers = HeaderMap::new();
        let long = HeaderValue::from_str(&"x".repeat(9_000)).unwrap();
        headers.insert("long", long);

        let (opening, request) = ask(&pair.client, &pair.server).await;
        cancel(request.accept_with(headers.clone())).await;
        assert_aborted(&opening.await.unwrap());
        let (opening, request) = ask(&pair.client, &pair.server).await;
        let mut response = Response::builder().status(404).body(()).unwrap();
        *response.headers_mut() = headers;
        cancel(request.reject_with(response)).await;
        assert_aborted(&opening.await.unwrap());

        session(&pair.client, &pair.server).await;
        // Nobody waits for what was aborted to arrive.
        pair.server.close(0, "").await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_accept_of_a_connection_leaves_it_to_the_next() {
    within(async {
        let (endpoint, connector) = common::pair();

        cancel(endpoint.accept()).await;

        connections(&endpoint, &connector).await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_dropped_while_it_is_made_is_given_up() {
    within(async {
        let (endpoint, connector) = common::pair();
        let mut connecting = connector.clone().call(common::target(&endpoint));
        let states = connecting.states();
        assert!(once(pin!(&mut connecting)).await.is_none());
        let incoming = endpoint.accept().await.unwrap();

        drop(connecting);

        assert_eq!(*states.borrow(), ConnectionState::Failed);
        assert!(incoming.await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_connect_and_open_gives_the_connection_up() {
    within(async {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let port = common::address(&endpoint).port();
        let connector = connector(&identity);
        let url = format!("https://[::1]:{port}/");
        let mut opening = Box::pin(connector.open(&url));
        let server = async { endpoint.accept().await.unwrap().await.unwrap() };
        let request = async {
            let server = server.await;
            (server.accept().await.unwrap(), server)
        };
        let (request, server) = tokio::select! {
            accepted = request => accepted,
            _ = &mut opening => panic!("nobody has answered"),
        };

        drop(opening);
        drop(request);

        assert!(server.closed().await.is_orderly());
    })
    .await;
}

type Asked = tokio::task::JoinHandle<Result<wt_connection::Session, OpenError>>;

async fn ask(client: &Connection, server: &Connection) -> (Asked, wt_connection::SessionRequest) {
    let client = client.clone();
    let opening = tokio::spawn(async move { client.open("/").await });
    (opening, server.accept().await.unwrap())
}

/// The client's reset may come before the answer is sent, or after.
async fn assert_given_up(accepted: Result<wt_connection::Session, SessionError>) {
    let error = match accepted {
        Ok(session) => session.closed().await,
        Err(error) => error,
    };
    let code = H3_REQUEST_CANCELLED;
    assert_eq!(error, SessionError::Aborted { code });
}

fn assert_rejected(opened: Result<wt_connection::Session, OpenError>) {
    match opened {
        Err(OpenError::Rejected(response)) => assert_eq!(response.status(), 500),
        other => panic!("not rejected: {other:?}"),
    }
}

fn assert_aborted(opened: &Result<wt_connection::Session, OpenError>) {
    assert!(
        matches!(opened, Err(OpenError::Aborted { code: 0x102 })),
        "{opened:?}"
    );
}

async fn one_at_a_time() -> (impl Sized, Connection, Connection) {
    let (identity, builder) = server_builder();
    let limits = Limits::default().max_sessions(1);
    let endpoint = builder.limits(limits).bind().unwrap();
    let connector = connector(&identity);
    let (client, server) = connections(&endpoint, &connector).await;
    ((endpoint, connector), client, server)
}

/// A server that keeps no more than 5,000 bytes that the client has not acknowledged.
async fn narrow_server() -> Pair {
    let (identity, builder) = server_builder();
    let mut transport = quinn::TransportConfig::default();
    transport.send_window(5_000);
    let server_endpoint = builder.transport(transport).bind().unwrap();
    let connector = connector(&identity);
    let (client, server) = connections(&server_endpoint, &connector).await;
    Pair {
        client,
        server,
        server_endpoint,
        connector,
    }
}

//! A connection as a tower service: when it is ready, and what being ready holds.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::task::Poll;

use common::bounded::within;
use common::{connections, connector, server_builder, session};
use http::StatusCode;
use tokio_test::task::Spawn;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::load::{Load, PendingRequests};
use tower::{Service, ServiceExt};
use wt_connection::{
    CompleteOnClose, Connection, ConnectionError, ConnectionState, Connector, Endpoint, Limits,
    OpenError,
};

#[tokio::test]
async fn a_full_connection_is_pending_and_wakes_when_a_session_ends() {
    within(async {
        let pair = limited(2).await;
        let (first, _first) = session(&pair.client, &pair.server).await;
        let (_second, _second_there) = session(&pair.client, &pair.server).await;
        let mut waiting = task::spawn(pair.client.clone());

        assert_pending!(ready(&mut waiting));
        first.close(0, "");
        first.closed().await;

        assert!(waiting.is_woken());
        assert_ready_ok!(ready(&mut waiting));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_the_server_ends_makes_room_as_well() {
    within(async {
        let pair = limited(1).await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let mut waiting = task::spawn(pair.client.clone());
        assert_pending!(ready(&mut waiting));

        accepted.close(0, "");
        opened.closed().await;

        assert!(waiting.is_woken());
        assert_ready_ok!(ready(&mut waiting));
    })
    .await;
}

/// The client must not count a session as gone that the server still counts.
#[tokio::test]
async fn a_place_is_free_only_once_the_server_agrees() {
    within(async {
        let pair = limited(1).await;

        for round in 0..50_u32 {
            let (opened, accepted) = session(&pair.client, &pair.server).await;
            match round % 4 {
                0 => opened.close(round, "the client's"),
                1 => accepted.close(round, "the server's"),
                2 => drop(opened),
                _ => drop(accepted),
            }
        }

        assert_eq!(pair.client.state(), ConnectionState::Connected);
    })
    .await;
}

#[tokio::test]
async fn polled_twice_it_reserves_one_place() {
    within(async {
        let pair = limited(2).await;
        let (mut one, mut other) = (task::spawn(pair.client.clone()), task::spawn(pair.client));

        assert_ready_ok!(ready(&mut one));
        assert_ready_ok!(ready(&mut one));

        assert_ready_ok!(ready(&mut other));
        // There is no further place that this could wait for.
        assert_ready_ok!(ready(&mut one));
    })
    .await;
}

#[tokio::test]
async fn a_clone_has_nothing_reserved_and_a_dropped_one_gives_its_place_back() {
    within(async {
        let pair = limited(1).await;
        let mut one = task::spawn(pair.client);
        assert_ready_ok!(ready(&mut one));
        let mut clone = task::spawn(Connection::clone(&one));

        assert_pending!(ready(&mut clone));
        drop(one);

        assert!(clone.is_woken());
        assert_ready_ok!(ready(&mut clone));
    })
    .await;
}

#[tokio::test]
async fn the_readied_instance_is_called_and_spends_its_place() {
    within(async {
        let pair = limited(1).await;
        let mut service = task::spawn(pair.client.clone());
        let mut other = task::spawn(pair.client.clone());
        assert_ready_ok!(ready(&mut service));

        let opening = service.enter(|_, service| service.get_mut().call(request()));
        let accept = async { pair.server.accept().await.unwrap().accept().await };
        let (response, accepted) = tokio::join!(opening, accept);

        assert_eq!(response.unwrap().status(), StatusCode::OK);
        assert!(accepted.is_ok());
        assert_pending!(ready(&mut service));
        assert_pending!(ready(&mut other));
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "called without being ready")]
async fn a_clone_of_a_ready_connection_cannot_be_called() {
    within(async {
        let pair = limited(2).await;
        let mut service = task::spawn(pair.client);
        assert_ready_ok!(ready(&mut service));

        drop(Connection::clone(&service).call(request()));
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "called without being ready")]
async fn one_readiness_is_one_call() {
    within(async {
        let pair = limited(2).await;
        let mut service = pair.client.clone();

        let _first = service.ready().await.unwrap().call(request());
        let _second = service.call(request());
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_dropped_unpolled_gives_its_place_back() {
    within(async {
        let pair = limited(1).await;
        let mut service = pair.client.clone();
        let opening = service.ready().await.unwrap().call(request());
        let mut other = task::spawn(pair.client.clone());
        assert_pending!(ready(&mut other));

        drop(opening);

        assert!(other.is_woken());
        assert_ready_ok!(ready(&mut other));
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_dropped_gives_its_place_back_once_the_server_agrees() {
    within(async {
        let pair = limited(1).await;
        let mut service = pair.client.clone();
        let mut opening = task::spawn(service.ready().await.unwrap().call(request()));
        assert_pending!(opening.poll());
        let mut other = task::spawn(pair.client.clone());
        assert_pending!(ready(&mut other));
        let asked = pair.server.accept().await.unwrap();

        drop(opening);
        assert_pending!(ready(&mut other));
        drop(asked);

        other.ready().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_rejected_session_gives_its_place_back() {
    within(async {
        let pair = limited(1).await;
        let reject = async {
            let request = pair.server.accept().await.unwrap();
            request.reject(StatusCode::FORBIDDEN).await.unwrap();
        };

        let (rejected, ()) = tokio::join!(pair.client.open("/"), reject);
        let (_opened, accepted) = session(&pair.client, &pair.server).await;

        assert!(matches!(rejected, Err(OpenError::Rejected(_))));
        assert_eq!(accepted.connection().id(), pair.server.id());
    })
    .await;
}

#[tokio::test]
async fn a_draining_connection_admits_nobody_and_says_so() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let accept = common::bare::accept(&server, common::bare::WEBTRANSPORT);
        let connect = common::bare::connector().oneshot(common::bare::target(&server));
        let (client, (_connection, mut control)) = tokio::join!(connect, accept);
        let client = client.unwrap();
        let mut readied: Vec<_> = (0..4).map(|_| task::spawn(client.clone())).collect();
        for one in &mut readied {
            assert_ready_ok!(ready(one));
        }
        let mut waiting = task::spawn(client.clone());
        assert_pending!(ready(&mut waiting));

        control.write_all(&common::bare::goaway(0)).await.unwrap();
        let mut states = client.states();
        let draining = states.wait_for(|state| *state == ConnectionState::Draining);
        draining.await.unwrap();

        assert!(waiting.is_woken());
        for one in readied.iter_mut().chain([&mut waiting]) {
            let Poll::Ready(Err(OpenError::Draining)) = ready(one) else {
                panic!("admitted");
            };
        }
        assert!(matches!(client.open("/").await, Err(OpenError::Draining)));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_over_says_why() {
    within(async {
        let pair = limited(2).await;
        let mut readied = task::spawn(pair.client.clone());
        assert_ready_ok!(ready(&mut readied));

        pair.server.quic().close(7_u32.into(), b"gone");
        pair.client.closed().await;

        let Poll::Ready(Err(OpenError::Connection(error))) = ready(&mut readied) else {
            panic!("admitted");
        };
        assert_eq!(error, gone());
    })
    .await;
}

/// Whoever waited for room while the connection failed was told that this side had closed it.
#[tokio::test]
async fn whoever_waits_for_room_is_told_why_the_connection_ended() {
    within(async {
        let pair = limited(1).await;
        let _session = session(&pair.client, &pair.server).await;
        let client = pair.client.clone();
        let waiting = tokio::spawn(async move { client.open("/").await });

        // A push, which no client of this crate's allows.
        let mut push = pair.server.quic().open_uni().await.unwrap();
        push.write_all(&[0x01]).await.unwrap();
        let told = waiting.await.unwrap();

        let cause = pair.client.closed().await;
        assert!(matches!(cause, ConnectionError::Protocol { .. }));
        let Err(OpenError::Connection(told)) = told else {
            panic!("admitted");
        };
        assert_eq!(told, cause);
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_waits_is_told_why_the_connection_ended() {
    within(async {
        let pair = limited(1).await;
        let client = pair.client.clone();
        let waiting = tokio::spawn(async move { client.open("/").await });
        let _unanswered = pair.server.accept().await.unwrap();

        let mut push = pair.server.quic().open_uni().await.unwrap();
        push.write_all(&[0x01]).await.unwrap();
        let Err(OpenError::Connection(told)) = waiting.await.unwrap() else {
            panic!("opened");
        };

        assert_eq!(told, pair.client.closed().await);
        assert!(matches!(told, ConnectionError::Protocol { .. }), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_this_side_closes_admits_nobody() {
    within(async {
        let pair = limited(1).await;

        let closing = pair.client.close(0, "");
        let at_once = pair.client.open("/").await;
        closing.await;
        let after = pair.client.open("/").await;

        for error in [at_once, after] {
            assert!(
                matches!(error, Err(OpenError::Connection(ConnectionError::Closed))),
                "{error:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_a_server_accepted_opens_nothing() {
    within(async {
        let pair = limited(1).await;
        let mut server = task::spawn(pair.server);

        let Poll::Ready(Err(OpenError::NotClient)) = ready(&mut server) else {
            panic!("admitted");
        };
    })
    .await;
}

#[tokio::test]
async fn the_number_of_sessions_is_the_servers() {
    within(async {
        let pair = limited(2).await;

        assert_eq!(pair.client.max_sessions(), 2);
        assert_eq!(pair.server.max_sessions(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_load_lasts_as_long_as_its_session() {
    within(async {
        let pair = limited(2).await;
        let mut service = PendingRequests::new(pair.client.clone(), CompleteOnClose);
        let idle = service.load();

        let opening = service.ready().await.unwrap().call(request());
        let accept = async { pair.server.accept().await.unwrap().accept().await.unwrap() };
        let (response, accepted) = tokio::join!(opening, accept);
        let session = response.unwrap().into_body();

        assert!(service.load() > idle);
        accepted.close(0, "");
        session.closed().await;
        assert_eq!(service.load(), idle);
    })
    .await;
}

/// The endpoints are kept so that their sockets stay open.
struct Limited {
    client: Connection,
    server: Connection,
    _endpoints: (Endpoint, Connector),
}

async fn limited(max_sessions: u32) -> Limited {
    let (identity, builder) = server_builder();
    let limits = Limits::default().max_sessions(max_sessions);
    let endpoint = builder.limits(limits).bind().unwrap();
    let connector = connector(&identity);
    let (client, server) = connections(&endpoint, &connector).await;
    Limited {
        client,
        server,
        _endpoints: (endpoint, connector),
    }
}

fn ready(service: &mut Spawn<Connection>) -> Poll<Result<(), OpenError>> {
    service.enter(|cx, service| service.get_mut().poll_ready(cx))
}

fn request() -> http::Request<()> {
    http::Request::get("/").body(()).unwrap()
}

fn gone() -> ConnectionError {
    ConnectionError::ClosedByPeer {
        code: 7,
        reason: "gone".into(),
    }
}

//! What is worth another attempt, and the real errors that say so.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;
use examples::{BoxError, classes};
use tokio::time::timeout;
use tower::load_shed::error::Overloaded;
use tower::{Layer, ServiceBuilder, ServiceExt};
use wt_connection::{
    ConnectError, Connection, ConnectionError, Connector, Endpoint, Identity, OpenError,
    RequestError, Server, SessionError, Target, Trust, WebTransportUpgrade, WriteError,
};
use wt_retry::backoff::Exponential;
use wt_retry::replay::Never;
use wt_retry::{DeadlineExceeded, DeadlineLayer, RetryLayer, StandardPolicy, Verdict};

const PATIENCE: Duration = Duration::from_secs(10);
const CRYPTO_ERROR: u64 = 0x012a;

fn backoff() -> Exponential {
    Exponential::default().base(Duration::from_millis(1))
}

fn transport(code: u64) -> ConnectionError {
    let reason = String::new();
    ConnectionError::Transport { code, reason }
}

fn of_connect(error: &ConnectError) -> Verdict {
    classes::connect(
        &"https://example.com".parse::<Target>().unwrap(),
        Err(error),
    )
}

fn of_open(error: &OpenError) -> Verdict {
    classes::open(&Request::new(()), Err(error))
}

fn of_request(method: &Method, result: Result<&Response<()>, &RequestError>) -> Verdict {
    let mut request = Request::new(());
    request.method_mut().clone_from(method);
    classes::request(&request, result)
}

#[test]
fn connects_that_failed_on_the_way_are_made_again() {
    let unreachable = ConnectError::Unreachable(io::ErrorKind::NetworkUnreachable.into());

    for error in [
        unreachable,
        ConnectError::Refused,
        ConnectError::TimedOut,
        ConnectError::Lost(ConnectionError::Reset),
        ConnectError::Lost(ConnectionError::TimedOut),
        ConnectError::Lost(transport(1)),
    ] {
        assert_eq!(of_connect(&error), Verdict::Retry, "{error:?}");
    }
}

#[test]
fn names_certificates_and_settings_fail_alike_every_time() {
    let reason = String::new();

    for error in [
        ConnectError::NameNotFound(io::ErrorKind::NotFound.into()),
        ConnectError::Tls { reason },
        ConnectError::Alpn,
        ConnectError::NoWebTransport,
        ConnectError::InvalidTarget("".parse::<Target>().unwrap_err()),
        ConnectError::Lost(ConnectionError::Closed),
        ConnectError::Lost(transport(CRYPTO_ERROR)),
    ] {
        assert_eq!(of_connect(&error), Verdict::Return, "{error:?}");
    }
}

#[test]
fn what_was_refused_unprocessed_is_free() {
    assert_eq!(of_open(&OpenError::Unprocessed), Verdict::RetryUnsent);
    assert_eq!(of_open(&OpenError::Draining), Verdict::RetryUnsent);
    for error in [RequestError::Unprocessed, RequestError::Draining] {
        assert_eq!(of_request(&Method::POST, Err(&error)), Verdict::RetryUnsent);
    }
}

#[test]
fn sessions_that_cannot_be_had_are_not_asked_for_again() {
    for error in [
        OpenError::Malformed,
        OpenError::Aborted { code: 0x102 },
        OpenError::WrongProtocol("chat".into()),
        OpenError::InvalidRequest("no path".into()),
        OpenError::NotClient,
        OpenError::Connection(ConnectionError::Closed),
        OpenError::Connect(ConnectError::Alpn),
        rejected(StatusCode::FORBIDDEN, None),
    ] {
        assert_eq!(of_open(&error), Verdict::Return, "{error:?}");
    }
}

fn response(status: StatusCode, retry_after: Option<&'static str>) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    if let Some(value) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, value.parse().unwrap());
    }
    response
}

fn rejected(status: StatusCode, retry_after: Option<&'static str>) -> OpenError {
    OpenError::Rejected(Box::new(response(status, retry_after)))
}

#[test]
fn a_busy_server_says_when_to_come_back() {
    for status in [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let after = |value| of_open(&rejected(status, value));

        assert_eq!(after(None), Verdict::Retry);
        assert_eq!(
            after(Some("7")),
            Verdict::RetryAfter(Duration::from_secs(7))
        );
        let past = after(Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(past, Verdict::RetryAfter(Duration::ZERO));
        let Verdict::RetryAfter(huge) = after(Some("Fri, 31 Dec 9999 23:59:59 GMT")) else {
            panic!("it is a date");
        };
        assert!(huge > Duration::from_secs(1_000_000_000));
    }
}

#[test]
fn only_what_may_be_done_twice_is_sent_again_when_it_may_have_been_done() {
    let busy = response(StatusCode::SERVICE_UNAVAILABLE, None);
    let limited = response(StatusCode::TOO_MANY_REQUESTS, Some("1"));
    let lost = RequestError::Connection(ConnectionError::Reset);
    let aborted = RequestError::Aborted { code: 0x102 };

    for (method, verdict) in [
        (Method::GET, Verdict::Retry),
        (Method::POST, Verdict::Return),
    ] {
        assert_eq!(of_request(&method, Ok(&busy)), verdict);
        assert_eq!(of_request(&method, Err(&lost)), verdict);
        assert_eq!(of_request(&method, Err(&aborted)), verdict);
        let after = Verdict::RetryAfter(Duration::from_secs(1));
        assert_eq!(of_request(&method, Ok(&limited)), after);
        let found = of_request(&method, Ok(&response(StatusCode::OK, None)));
        assert_eq!(found, Verdict::Return);
        let malformed = of_request(&method, Err(&RequestError::Malformed));
        assert_eq!(malformed, Verdict::Return);
    }
}

#[tokio::test]
async fn errors_of_all_layers_are_told_apart() {
    let of = |error: BoxError| classes::boxed(&Request::new(()), Err(&error));

    assert_eq!(of(OpenError::Unprocessed.into()), Verdict::RetryUnsent);
    assert_eq!(of(ConnectError::TimedOut.into()), Verdict::Retry);
    assert_eq!(of(ConnectError::Alpn.into()), Verdict::Return);
    let elapsed = tower::timeout::error::Elapsed::new();
    assert_eq!(of(elapsed.into()), Verdict::Retry);
    let silent = tower::service_fn(|()| std::future::pending::<Result<(), BoxError>>());
    let late = DeadlineLayer::new(Duration::ZERO).layer(silent).oneshot(());
    assert_eq!(of(late.await.unwrap_err()), Verdict::Retry);
    assert_eq!(of("anything".into()), Verdict::Return);
}

#[test]
fn whatever_failed_of_any_kind_that_may_be_done_twice_is_done_again() {
    assert_eq!(classes::any(&"q", Ok::<_, &BoxError>(&7)), Verdict::Return);
    let error = BoxError::from("anything");
    assert_eq!(classes::any::<_, u8, _>(&"q", Err(&error)), Verdict::Retry);
}

#[test]
fn what_may_be_done_twice_is_done_elsewhere_if_the_backend_failed() {
    let of = |error: BoxError| classes::repeatable::<()>(&Request::new(()), Err(&error));
    let rejected = |status| OpenError::Rejected(Box::new(response(status, None)));

    assert_eq!(
        classes::repeatable(&Request::new(()), Ok(&())),
        Verdict::Return
    );
    assert_eq!(of(OpenError::Draining.into()), Verdict::RetryUnsent);
    assert_eq!(
        of(rejected(StatusCode::INTERNAL_SERVER_ERROR).into()),
        Verdict::Retry
    );
    assert_eq!(of(rejected(StatusCode::NOT_FOUND).into()), Verdict::Return);
    assert_eq!(of(SessionError::NotAccepted.into()), Verdict::Retry);
    assert_eq!(of(Overloaded::new().into()), Verdict::Return);
}

#[test]
fn what_may_be_done_twice_is_done_again_if_its_connection_is_closed_under_it() {
    // It failed for good if the end was in order, or this side's pool had closed.
    let of = |error: BoxError| classes::repeatable::<()>(&Request::new(()), Err(&error));
    let reason = axum::body::Bytes::new();
    let code = 0x100;

    for error in [
        ConnectionError::Closed,
        ConnectionError::ClosedByPeer { code, reason },
        ConnectionError::TimedOut,
    ] {
        let session = SessionError::from(error.clone());
        assert_eq!(of(OpenError::from(error).into()), Verdict::Retry);
        assert_eq!(of(session.clone().into()), Verdict::Retry);
        assert_eq!(of(WriteError::from(session).into()), Verdict::Retry);
    }
    let closed = "".parse::<Target>().unwrap_err();
    assert_eq!(
        of(ConnectError::InvalidTarget(closed).into()),
        Verdict::Return
    );
}

/// A server on loopback, where it is, and what its clients trust.
fn server() -> (Endpoint, Target, Trust) {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let endpoint = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
    let target = Target::from(endpoint.local_address().unwrap());
    (endpoint, target, trust)
}

/// Serves `router` to one connection.
async fn connected(router: Router) -> Connection {
    let (endpoint, target, trust) = server();
    tokio::spawn(Server::new(endpoint).serve(router));
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    connector.oneshot(target).await.unwrap()
}

/// Is busy for the first two who ask.
fn busy_twice(path: &str) -> Router {
    let asked = Arc::new(AtomicU32::new(0));
    let answer = move |upgrade: Option<WebTransportUpgrade>| {
        let busy = asked.fetch_add(1, Ordering::Relaxed) < 2;
        async move {
            match upgrade {
                _ if busy => {
                    let headers = [(header::RETRY_AFTER, "0")];
                    (StatusCode::SERVICE_UNAVAILABLE, headers).into_response()
                }
                Some(upgrade) => upgrade.on_session(async |session| drop(session)),
                None => "content".into_response(),
            }
        }
    };
    Router::new().route(path, any(answer))
}

#[tokio::test]
async fn a_session_is_opened_once_the_server_has_time() {
    let connection = connected(busy_twice("/")).await;
    let policy = StandardPolicy::new(classes::open, backoff());

    let opener = RetryLayer::new(policy.clone()).layer(connection);
    let request = Request::get("/").body(()).unwrap();
    let session = opener.oneshot(request).await.unwrap().into_body();

    // The server ends it at once, and nobody opens another one.
    session.closed().await;
    assert_eq!(policy.stats().attempts, 3);
    assert_eq!(policy.stats().hints, 2);
}

#[tokio::test]
async fn a_request_is_answered_once_the_server_has_time() {
    let connection = connected(busy_twice("/")).await;
    let policy = StandardPolicy::new(classes::request, backoff()).replay(Never);
    let unreplayable = RetryLayer::new(policy).layer(connection.http());
    let policy = StandardPolicy::new(classes::request, backoff())
        .replay(|request: &Request<Body>| Request::get(request.uri()).body(Body::empty()).ok());
    let client = RetryLayer::new(policy).layer(connection.http());
    let get = || Request::get("/").body(Body::empty()).unwrap();

    let busy = unreplayable.oneshot(get()).await.unwrap().status();
    let answered = client.oneshot(get()).await.unwrap().status();

    assert_eq!(busy, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answered, StatusCode::OK);
}

#[tokio::test]
async fn a_refused_connection_is_made_again() {
    let (endpoint, target, trust) = server();
    tokio::spawn(async move {
        endpoint.accept().await.unwrap().refuse();
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        connection.closed().await
    });
    let policy = StandardPolicy::new(classes::connect, backoff());
    let connector = Connector::new(Endpoint::client(trust).unwrap());

    let maker = RetryLayer::new(policy.clone()).layer(connector);
    let connection = timeout(PATIENCE, maker.oneshot(target)).await.unwrap();

    connection.unwrap();
    assert_eq!(policy.stats().attempts, 2);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_asked_for_twice() {
    let (endpoint, target, _) = server();
    tokio::spawn(Server::new(endpoint).serve(Router::new()));
    let (_, _, other) = server();
    let policy = StandardPolicy::new(classes::connect, backoff());
    let connector = Connector::new(Endpoint::client(other).unwrap());

    let maker = RetryLayer::new(policy.clone()).layer(connector);
    let error = timeout(PATIENCE, maker.oneshot(target))
        .await
        .unwrap()
        .unwrap_err();

    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert_eq!(policy.stats().attempts, 1);
}

#[tokio::test]
async fn a_deadline_bounds_all_attempts_to_connect() {
    // A port that takes packets and says nothing.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = Target::from(silent.local_addr().unwrap());
    let (_, _, trust) = server();
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    let maker = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Duration::from_millis(50)))
        .layer(RetryLayer::new(StandardPolicy::new(
            classes::connect,
            backoff(),
        )))
        .service(connector.connect_timeout(Duration::from_millis(20)));

    let error = timeout(PATIENCE, maker.oneshot(target))
        .await
        .unwrap()
        .unwrap_err();

    // Four attempts would take 80 ms.
    assert!(error.is::<DeadlineExceeded>(), "{error:?}");
}

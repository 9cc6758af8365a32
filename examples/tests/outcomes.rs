//! What outcomes say about a backend, and the errors that say so.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Response, StatusCode};
use examples::{BoxError, outcomes};
use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;
use wt_connection::{
    ConnectError, ConnectionError, OpenError, ReadError, ReadToEndError, RequestError,
    SessionError, WriteError,
};
use wt_health::Outcome;
use wt_pool::PoolError;

fn of_connect(error: &ConnectError) -> Outcome {
    outcomes::connect(Err(error))
}

fn of_open(error: &OpenError) -> Outcome {
    outcomes::open(Err(error))
}

/// An error that is caused by another one.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

fn of_box(error: impl Into<BoxError>) -> Outcome {
    outcomes::boxed(Err::<&(), _>(&error.into()))
}

fn timed_out(in_use: usize, connecting: usize) -> PoolError {
    // It cannot be made by hand: a pool of the given kind runs out of time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(pool_error(in_use, connecting))
}

/// The error of a pool that is full of connections in use, and of those that are being made for
/// ever.
async fn pool_error(in_use: usize, connecting: usize) -> PoolError {
    use tower::{Layer, Service, ServiceExt, service_fn};
    let made = Arc::new(AtomicUsize::new(0));
    let maker = service_fn(move |(): ()| {
        let answers = made.fetch_add(1, Ordering::Relaxed) < in_use;
        async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            Ok::<_, BoxError>(service_fn(|(): ()| async { Ok::<_, BoxError>(()) }))
        }
    });
    let mut pool = wt_pool::PoolLayer::new(in_use + connecting).layer(maker);
    let mut lent = Vec::new();
    for _ in 0..in_use {
        lent.push(pool.ready().await.unwrap().call(()).await.unwrap());
    }
    pool.ready()
        .await
        .unwrap()
        .call(())
        .await
        .map(drop)
        .unwrap_err()
}

fn closed_by_peer(code: u64) -> ConnectionError {
    let reason = Default::default();
    ConnectionError::ClosedByPeer { code, reason }
}

#[test]
fn a_backend_that_cannot_be_connected_to_has_failed() {
    let reason = String::new();

    for error in [
        ConnectError::NameNotFound(io::ErrorKind::NotFound.into()),
        ConnectError::Unreachable(io::ErrorKind::NetworkUnreachable.into()),
        ConnectError::Refused,
        ConnectError::TimedOut,
        ConnectError::Tls { reason },
        ConnectError::Alpn,
        ConnectError::NoWebTransport,
        ConnectError::Lost(ConnectionError::TimedOut),
        ConnectError::Lost(ConnectionError::Reset),
    ] {
        assert_eq!(of_connect(&error), Outcome::Failure, "{error:?}");
    }
}

#[test]
fn what_this_side_did_says_nothing() {
    let target = "".parse::<wt_connection::Target>().unwrap_err();

    assert_eq!(
        of_connect(&ConnectError::InvalidTarget(target)),
        Outcome::Ignore
    );
    for error in [
        OpenError::InvalidRequest("no path".into()),
        OpenError::NotClient,
        OpenError::Draining,
        OpenError::Connection(ConnectionError::Closed),
        // The server ends in order.
        OpenError::Connection(closed_by_peer(0x100)),
    ] {
        assert_eq!(of_open(&error), Outcome::Ignore, "{error:?}");
    }
}

#[test]
fn sessions_that_the_server_could_not_open_are_failures() {
    for error in [
        OpenError::Unprocessed,
        OpenError::Aborted { code: 0x102 },
        OpenError::Malformed,
        OpenError::Connection(ConnectionError::Reset),
        OpenError::Connection(closed_by_peer(0x102)),
        OpenError::Connect(ConnectError::TimedOut),
        rejected(StatusCode::SERVICE_UNAVAILABLE),
        rejected(StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        assert_eq!(of_open(&error), Outcome::Failure, "{error:?}");
    }
}

#[test]
fn a_server_that_says_no_works() {
    for status in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN] {
        assert_eq!(of_open(&rejected(status)), Outcome::Success);
    }
    let pace = rejected(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(of_open(&pace), Outcome::Ignore);
}

fn rejected(status: StatusCode) -> OpenError {
    OpenError::Rejected(Box::new(response(status)))
}

fn response(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

#[test]
fn requests_are_judged_by_status_and_error() {
    fn of(result: Result<&Response<()>, &RequestError>) -> Outcome {
        outcomes::request(result)
    }

    assert_eq!(of(Ok(&response(StatusCode::OK))), Outcome::Success);
    assert_eq!(of(Ok(&response(StatusCode::BAD_GATEWAY))), Outcome::Failure);
    assert_eq!(of(Err(&RequestError::Malformed)), Outcome::Failure);
    let lost = RequestError::Connection(ConnectionError::TimedOut);
    assert_eq!(of(Err(&lost)), Outcome::Failure);
    let body = RequestError::Body("gone".into());
    assert_eq!(of(Err(&body)), Outcome::Ignore);
}

#[test]
fn a_pool_says_nothing_unless_its_connects_fail() {
    let connect = |error: ConnectError| PoolError::Connect(Arc::new(error));

    assert_eq!(
        outcomes::pool(&connect(ConnectError::TimedOut)),
        Outcome::Failure
    );
    let closed = ConnectError::Lost(ConnectionError::Closed);
    assert_eq!(outcomes::pool(&connect(closed)), Outcome::Ignore);
    let elapsed = PoolError::Connect(Arc::new(Elapsed::new()));
    assert_eq!(outcomes::pool(&elapsed), Outcome::Failure);
    for error in [PoolError::QueueFull, PoolError::Closed, PoolError::Draining] {
        assert_eq!(outcomes::pool(&error), Outcome::Ignore, "{error:?}");
    }
}

#[test]
fn a_pool_that_had_nothing_in_time_knows_whose_fault_that_is() {
    let busy = timed_out(1, 0);
    assert!(
        matches!(busy, PoolError::TimedOut { in_use: 1, .. }),
        "{busy:?}"
    );
    assert_eq!(outcomes::pool(&busy), Outcome::Ignore);

    let slow = timed_out(0, 1);
    assert!(
        matches!(slow, PoolError::TimedOut { connecting: 1, .. }),
        "{slow:?}"
    );
    assert_eq!(outcomes::pool(&slow), Outcome::Failure);

    // A server that no longer answers, with a session from before.
    let silent = timed_out(1, 1);
    assert!(
        matches!(
            silent,
            PoolError::TimedOut {
                in_use: 1,
                connecting: 1,
                ..
            }
        ),
        "{silent:?}"
    );
    assert_eq!(outcomes::pool(&silent), Outcome::Failure);
}

#[test]
fn errors_of_all_layers_are_told_apart() {
    assert_eq!(outcomes::boxed::<()>(Ok(&())), Outcome::Success);
    assert_eq!(of_box(OpenError::Draining), Outcome::Ignore);
    assert_eq!(of_box(RequestError::Unprocessed), Outcome::Failure);
    assert_eq!(of_box(ConnectError::Refused), Outcome::Failure);
    assert_eq!(of_box(PoolError::QueueFull), Outcome::Ignore);
    assert_eq!(of_box(Overloaded::new()), Outcome::Ignore);
    assert_eq!(of_box(Elapsed::new()), Outcome::Failure);
    assert_eq!(of_box("anything"), Outcome::Failure);
}

#[test]
fn what_breaks_off_a_session_says_what_ended_its_connection() {
    // All of it was unknown, and so the backend's failure.
    let of = |error: ConnectionError| {
        let session = SessionError::from(error);
        let read = ReadToEndError::from(ReadError::from(session.clone()));
        let said = [
            of_box(session.clone()),
            of_box(read),
            of_box(WriteError::from(session)),
        ];
        assert_eq!(said, [said[0]; 3]);
        said[0]
    };

    assert_eq!(of(ConnectionError::TimedOut), Outcome::Failure);
    assert_eq!(of(ConnectionError::Reset), Outcome::Failure);
    assert_eq!(of(closed_by_peer(0x102)), Outcome::Failure);
    // By this side's pool, or by a server that ends in order.
    assert_eq!(of(ConnectionError::Closed), Outcome::Ignore);
    assert_eq!(of(closed_by_peer(0x100)), Outcome::Ignore);
    assert_eq!(of_box(SessionError::Aborted { code: 1 }), Outcome::Failure);
    assert_eq!(of_box(ReadError::Reset(Some(1))), Outcome::Failure);
}

#[test]
fn an_error_says_what_the_first_of_its_causes_does_that_is_known() {
    let of = |error: BoxError| of_box(Wrapped(Wrapped(error).into()));

    assert_eq!(of(OpenError::Draining.into()), Outcome::Ignore);
    assert_eq!(of(PoolError::QueueFull.into()), Outcome::Ignore);
    assert_eq!(of(Overloaded::new().into()), Outcome::Ignore);
    assert_eq!(of(ConnectError::Refused.into()), Outcome::Failure);
    assert_eq!(of("anything".into()), Outcome::Failure);
    let shed = PoolError::Connect(Arc::new(ConnectError::Lost(ConnectionError::Closed)));
    assert_eq!(of(shed.into()), Outcome::Ignore);
}

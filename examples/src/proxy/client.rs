use std::time::Duration;

use axum::http::{Request, Response};
use tower::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder};
use wt_balance::BalanceLayer;
use wt_connection::{CompleteOnClose, Connection, ConnectionState, Connector, Session, Target};
use wt_health::Monitor;
use wt_pool::PoolLayer;
use wt_retry::backoff::Exponential;
use wt_retry::mark::InExtensions;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

use crate::{BoxError, classes, outcomes};

/// What opens sessions, and may be cloned, sent and shared.
pub trait Client:
    Service<Request<()>, Response = Response<Session>, Error = BoxError, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C> Client for C where
    C: Service<Request<()>, Response = Response<Session>, Error = BoxError, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Opens each session on one of the servers, over a few connections to each: on the one that is
/// the least busy of those that answer, and on another if it is refused.
///
/// A session counts, as a share of the load and of a connection, until it is over. So there are at
/// most [`CONNECTIONS`] for each server, times as many sessions as it allows on one
/// ([`Limits::max_sessions`](wt_connection::Limits::max_sessions)). Who asks for more waits for two
/// seconds, and is refused.
pub fn client(connector: Connector, targets: impl IntoIterator<Item = Target>) -> impl Client {
    let pool = ServiceBuilder::new()
        .layer(
            PoolLayer::new(CONNECTIONS)
                .shared(Connection::max_sessions)
                .completion(CompleteOnClose)
                .closed(closed)
                .validate(async |connection: &Connection| connection.ping(SECOND).await),
        )
        .layer(TimeoutLayer::new(SECOND))
        .service(connector);
    let monitor = Monitor::new();
    let backend = move |target: Target| {
        ServiceBuilder::new()
            .layer(monitor.layer(target.clone()).classify(outcomes::boxed))
            .layer(TimeoutLayer::new(SECOND))
            .service(pool.service(target))
    };
    let backoff = Exponential::default().base(SECOND / 50).cap(SECOND / 5);
    let policy = StandardPolicy::new(classes::boxed, backoff).marks(InExtensions);
    ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1024)
        .layer(DeadlineLayer::new(5 * SECOND).marks(InExtensions))
        .layer(RetryLayer::standard(policy))
        .layer(
            BalanceLayer::new(targets)
                .classify(outcomes::balanced)
                .completion(CompleteOnClose)
                .patience(2 * SECOND),
        )
        .service(backend)
}

/// Ends with the connection, or before: a server that drains is not made to wait for one that
/// nobody uses.
fn closed(connection: &Connection) -> impl Future<Output = ()> + Send + use<> {
    let mut states = connection.states();
    async move {
        let _ = states
            .wait_for(|state| *state != ConnectionState::Connected)
            .await;
    }
}

/// How many connections each server has at most.
pub const CONNECTIONS: usize = 4;

const SECOND: Duration = Duration::from_secs(1);

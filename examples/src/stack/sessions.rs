use std::collections::HashMap;
use std::time::Duration;

use axum::http::{Request, Response};
use tower::timeout::{Timeout, TimeoutLayer};
use tower::{Layer, ServiceBuilder};
use wt_balance::BalanceLayer;
use wt_connection::{
    CompleteOnClose, Connection, ConnectionState, Connector, PingError, Session, Target,
};
use wt_health::Monitor;
use wt_health::outlier::Outlier;
use wt_pool::{Pool, PoolLayer};
use wt_retry::backoff::Exponential;
use wt_retry::mark::InExtensions;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy};

use crate::stack::{Client, Figures, Stack};
use crate::{BoxError, classes, outcomes, probes};

/// A client of several servers, each call of which opens a session, does with it what `call` does,
/// and may be made again elsewhere; and what can be looked at while it works.
///
/// A call meets the layers from the last block to the first, and in each from top to bottom.
pub fn stack<F, Fut, R>(
    connector: Connector,
    targets: impl IntoIterator<Item = Target>,
    call: F,
) -> Stack<impl Client<R>>
where
    F: Fn(Response<Session>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, BoxError>> + Send + 'static,
    R: Send + 'static,
{
    // Connections: few to each server, each with as many sessions as the server allows.
    let lending = PoolLayer::new(4)
        .shared(Connection::max_sessions)
        .completion(CompleteOnClose)
        .closed(closed)
        .validate(ping);
    let pool = ServiceBuilder::new()
        .layer(lending)
        .layer(TimeoutLayer::new(CONNECT_TIMEOUT))
        .service(connector.clone());

    // One judge of all servers: by their calls, and by sessions that it opens itself.
    // Those are seldom while nothing changes: each costs the server a handshake.
    let probes = probes::session(connector, PATH).fast_interval(SECOND / 4);
    let monitor = Monitor::builder()
        .outlier(Outlier::default().base_ejection(2 * SECOND))
        .probes(probes.timeout(TRY_TIMEOUT))
        .build();

    // What leads to one server. A timeout below the judge is the server's failure.
    let (judge, lender) = (monitor.clone(), pool.clone());
    let backend = move |target: Target| {
        ServiceBuilder::new()
            .layer(judge.layer(target.clone()).classify(outcomes::boxed))
            .layer(TimeoutLayer::new(TRY_TIMEOUT))
            .and_then(call.clone())
            .service(lender.service(target))
    };
    let balance = BalanceLayer::new(targets)
        .classify(outcomes::balanced)
        .layer(backend);

    // What a call has in all: so much time, and further attempts, which go elsewhere.
    let backoff = Exponential::default().base(SECOND / 50).cap(SECOND / 5);
    let policy = StandardPolicy::new(classes::repeatable, backoff).marks(InExtensions);
    let client = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1024)
        .layer(DeadlineLayer::new(DEADLINE).marks(InExtensions))
        .layer(RetryLayer::standard(policy.clone()))
        .service(balance.clone());

    let (looked_at, known) = (pool.clone(), move || balance.snapshot());
    let figures = Figures::new(known, monitor, move || pool.stats(), move || policy.stats());
    Stack::new(client, figures.round_trips(move || round_trips(&looked_at)))
}

/// Ends when the connection takes no more sessions: the server drains it, or it is over.
fn closed(connection: &Connection) -> impl Future<Output = ()> + Send + use<> {
    let mut states = connection.states();
    async move {
        let over = states.wait_for(|state| *state != ConnectionState::Connected);
        drop(over.await);
    }
}

/// Has the server prove that it still hears.
async fn ping(connection: &Connection) -> Result<Duration, PingError> {
    connection.ping(TRY_TIMEOUT).await
}

/// By the youngest connection to each server.
fn round_trips(pool: &Sessions) -> HashMap<Target, Duration> {
    let mut round_trips = HashMap::new();
    pool.for_each(|target, connection| {
        round_trips.insert(target.clone(), connection.info().rtt);
    });
    round_trips
}

type Sessions = Pool<Timeout<Connector>, Target, Request<()>, CompleteOnClose>;

/// Where sessions are opened.
pub const PATH: &str = "/echo";
/// How long a call may take in all.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// How long one attempt of a call may take, once a server is ready for it.
pub const TRY_TIMEOUT: Duration = SECOND;
/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = SECOND;

const SECOND: Duration = Duration::from_secs(1);

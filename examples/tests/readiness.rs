//! Balancers that stand on health know a backend that is out by its readiness alone, and route
//! round it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use examples::{BoxError, outcomes, probes};
use tokio::time::{Instant, sleep};
use tower::balance::p2c;
use tower::discover::{Change, Discover};
use tower::load::{CompleteOnResponse, PendingRequestsDiscover};
use tower::{Service, ServiceExt};
use wt_balance::{Balance, RoundRobin};
use wt_connection::{
    Connection, Connector, Endpoint, Identity, Server, Session, Target, Trust, WebTransportUpgrade,
};
use wt_health::snapshot::State;
use wt_health::{Monitor, Outcome};

/// How long each step may take: machines are slow, and shared.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that refuses all sessions while it is ill.
#[derive(Clone, Debug, Default)]
struct Illness {
    ill: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Illness {
    fn set(&self, ill: bool) {
        self.ill.store(ill, Ordering::Relaxed);
    }

    /// How many have asked for a session at `/`, which probes do not.
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    fn router(&self) -> Router {
        let here = self.clone();
        let answer = move |upgrade: WebTransportUpgrade, counted: bool| {
            here.asked.fetch_add(counted.into(), Ordering::Relaxed);
            if here.ill.load(Ordering::Relaxed) {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            upgrade.on_session(async |session: Session| drop(session.closed().await))
        };
        let probed = answer.clone();
        Router::new()
            .route("/", any(async move |upgrade| answer(upgrade, true)))
            .route("/probe", any(async move |upgrade| probed(upgrade, false)))
    }
}

/// Three servers on loopback, and a connection to each.
struct Fleet {
    illnesses: [Illness; 3],
    targets: Vec<Target>,
    connections: Vec<Connection>,
    monitor: Monitor<Target>,
}

impl Fleet {
    async fn new() -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let connector = Connector::new(Endpoint::client(trust).unwrap());
        let illnesses: [Illness; 3] = Default::default();
        let mut targets = Vec::new();
        let mut connections = Vec::new();
        for illness in &illnesses {
            let loopback = "127.0.0.1:0".parse().unwrap();
            let endpoint = Endpoint::server(loopback, identity.clone()).unwrap();
            let target = Target::from(endpoint.local_address().unwrap());
            tokio::spawn(Server::new(endpoint).serve(illness.router()));
            connections.push(connector.clone().oneshot(target.clone()).await.unwrap());
            targets.push(target);
        }
        let probes = probes::session(connector, "/probe").interval(Duration::from_millis(50));
        let monitor = Monitor::builder().probes(probes).build();
        Self {
            illnesses,
            targets,
            connections,
            monitor,
        }
    }

    /// What a balancer stands on.
    fn discover(
        &self,
    ) -> impl Discover<Key = Target, Service = Backend, Error = Infallible> + Send + Unpin + use<>
    {
        let targets = self.targets.iter().cloned();
        let connections = self.connections.iter().cloned();
        let backends: Vec<_> = targets.zip(connections).collect();
        self.monitor
            .discover(List(backends.into_iter()))
            .classify(outcomes::open as Classify)
    }

    /// Nothing, until a balancer has discovered it.
    fn state(&self, backend: usize) -> Option<State> {
        self.monitor.state(&self.targets[backend])
    }

    /// Has a balancer's client find that one backend is ill, and later that it is well again.
    async fn is_routed_round<S>(&self, mut client: S)
    where
        S: Service<Request<()>, Response = Response<Session>, Error = BoxError>,
    {
        let [_, ill, _] = &self.illnesses;
        ill.set(true);
        let began = Instant::now();
        while !matches!(self.state(1), Some(State::Ejected { .. })) {
            let _ = open(&mut client).await;
            assert!(began.elapsed() < PATIENCE, "it is never ejected");
        }
        let asked = ill.asked();
        assert_eq!(asked, 5);

        for _ in 0..100 {
            open(&mut client).await.unwrap();
        }
        assert_eq!(ill.asked(), asked, "it is asked though it is ejected");

        ill.set(false);
        let began = Instant::now();
        while self.state(1) != Some(State::Up) {
            sleep(Duration::from_millis(10)).await;
            assert!(began.elapsed() < PATIENCE, "it is never restored");
        }
        let began = Instant::now();
        while ill.asked() < asked + 10 {
            open(&mut client).await.unwrap();
            assert!(began.elapsed() < PATIENCE, "it is never asked again");
        }
    }
}

type Backend = wt_health::Health<Connection, Classify>;
type Classify = fn(Result<&Response<Session>, &wt_connection::OpenError>) -> Outcome;

/// A session that is closed at once.
async fn open<S>(client: &mut S) -> Result<(), BoxError>
where
    S: Service<Request<()>, Response = Response<Session>, Error = BoxError>,
{
    let request = Request::get("/").body(())?;
    let session = client.ready().await?.call(request).await?.into_body();
    session.close(0, "");
    Ok(())
}

/// Backends that are all known at once.
struct List(std::vec::IntoIter<(Target, Connection)>);

impl futures_core::Stream for List {
    type Item = Result<Change<Target, Connection>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.next();
        match next {
            Some((target, connection)) => Poll::Ready(Some(Ok(Change::Insert(target, connection)))),
            // There will be no other.
            None => Poll::Pending,
        }
    }
}

/// Each balancer is to pass this with a client of its own over [`Fleet::discover`].
#[tokio::test]
async fn towers_balance_routes_round_an_ejected_backend() {
    let fleet = Fleet::new().await;
    let discover = PendingRequestsDiscover::new(fleet.discover(), CompleteOnResponse::default());
    let client = p2c::Balance::new(discover);

    fleet.is_routed_round(client).await;
}

#[tokio::test]
async fn wt_balance_routes_round_an_ejected_backend() {
    let fleet = Fleet::new().await;
    // One that would go on asking a backend that fails.
    let client = Balance::new(fleet.discover()).policy(RoundRobin::default());

    fleet.is_routed_round(client).await;
}

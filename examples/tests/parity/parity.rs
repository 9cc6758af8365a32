//! One test for each item; it goes through all that the item names.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::time::Duration;

use axum::http::{Request, Response};
use examples::{classes, outcomes, probes};
use futures_core::Stream;
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt};
use wt_balance::{BalanceLayer, LeastLatency, NoTargets, RoundRobin, Weighted};
use wt_connection::{
    AddError, CompleteOnClose, ConnectError, Connection, ConnectionState, Connections, Issue,
    Session, Target, Thresholds,
};
use wt_health::probe::TcpConnect;
use wt_health::{Combine, Monitor};
use wt_pool::{PoolError, PoolLayer};
use wt_retry::backoff::{Backoff, Exponential, Jitter};
use wt_retry::{RetryLayer, StandardPolicy};

use crate::world::{SECOND, World, dead, soon, until};

#[tokio::test]
async fn connection() {
    let mut world = World::new(1);
    let target = world.servers[0].target.clone();

    // Created, ready, and in each state on the way.
    let connecting = world.connector.call(target);
    let mut states = connecting.states();
    assert_eq!(*states.borrow(), ConnectionState::Idle);
    let mut connection = timeout(30 * SECOND, connecting).await.unwrap().unwrap();
    assert_eq!(*states.borrow_and_update(), ConnectionState::Connected);
    soon(connection.ready()).await.unwrap();

    // Figures.
    assert!(connection.first_session().is_none());
    let session = soon(connection.open("/")).await.unwrap();
    examples::echo::bi(&session, &[7; 1000]).await.unwrap();
    assert_eq!(connection.first_session().unwrap().id(), session.id());
    let info = connection.info();
    assert_eq!(info.state, ConnectionState::Connected);
    assert_eq!(info.remote_address, Some(connection.remote_address()));
    assert!(info.local_address.is_some() && info.established_at.is_some());
    assert!(info.bytes_sent > 1000 && info.bytes_received > 1000);
    assert!(info.packets_sent > 0 && info.packets_received > 0);
    assert!(info.closed_at.is_none() && info.uptime() > Duration::ZERO);
    assert_eq!((info.error_count, info.id), (0, connection.id()));
    let summary = connection.summary();
    assert_eq!((summary.id, summary.sessions), (info.id, 1));

    // Judged by thresholds, which may be others.
    let healthy = soon(connection.diagnose(Thresholds::default())).await;
    assert!(healthy.is_healthy(), "{:?}", healthy.issues);
    assert!(healthy.rtt.is_some());
    let strict = Thresholds::default().rtt(Duration::ZERO);
    let judged = soon(connection.diagnose(strict)).await;
    assert!(matches!(judged.issues[..], [Issue::HighLatency { .. }]));

    // Monitored, by default each 30 s and for 5 s, until it is over.
    let pinged = connection.clone();
    let pings = probes::ping(move |_: &()| Some(pinged.clone()));
    let monitor = Monitor::builder()
        .probes(pings.interval(SECOND / 50))
        .build();
    let watch = monitor.watch(());
    let before = connection.last_activity();
    connection.record_activity();
    assert!(connection.last_activity() > before);

    // Closed once, for everybody who waits.
    connection.close(7, "enough").await;
    connection.close(8, "again").await;
    soon(connection.closed()).await;
    soon(watch).await;
    assert_eq!(connection.state(), ConnectionState::Closed);
    assert_eq!(session.closed().await.close().unwrap().code(), 7);
    assert!(connection.info().closed_at.is_some());

    // And failed.
    let mut hasty = world.connector.connect_timeout(SECOND / 10);
    let failing = hasty.call(dead());
    let states = failing.states();
    assert!(matches!(soon(failing).await, Err(ConnectError::TimedOut)));
    assert_eq!(*states.borrow(), ConnectionState::Failed);
}

#[tokio::test]
async fn manager() {
    let world = World::new(1);
    let connections = Connections::new();
    assert_eq!(connections.stats().max_connections, 3000);
    let connections = connections.max_connections(2);
    let made = [(); 3].map(|()| {
        let connector = world.connector.clone();
        tokio::spawn(connector.oneshot(world.servers[0].target.clone()))
    });
    let mut made = made.map(Some);
    let mut next = async || soon(made.iter_mut().find_map(Option::take).unwrap()).await;
    let one = next().await.unwrap().unwrap();
    let two = next().await.unwrap().unwrap();
    let three = next().await.unwrap().unwrap();

    connections.add(&one).unwrap();
    connections.add(&two).unwrap();
    assert!(matches!(connections.add(&three), Err(AddError::Full)));
    assert_eq!(connections.get(one.id()).unwrap().id(), one.id());
    assert_eq!(connections.all().len(), 2);
    assert_eq!(connections.remove(two.id()).unwrap().id(), two.id());
    assert_eq!(connections.len(), 1);

    // One that is over is gone at once.
    connections.add(&three).unwrap();
    three.close(0, "").await;
    assert!(connections.get(three.id()).is_none());
    let stats = connections.stats();
    assert_eq!((stats.open, stats.high_water, stats.refused), (1, 2, 1));
    assert_eq!(stats.in_state(ConnectionState::Connected), 1);

    soon(connections.close_all(0, "")).await;
    assert_eq!(one.state(), ConnectionState::Closed);
    soon(connections.shutdown(0, "")).await;
    assert!(matches!(connections.add(&two), Err(AddError::Closed)));
    assert_eq!(two.state(), ConnectionState::Connected);
}

#[tokio::test]
async fn pool() {
    let mut world = World::new(1);
    let target = world.servers[0].target.clone();
    let pool = PoolLayer::<_, Request<()>, _>::new(2)
        .acquire_timeout(Some(30 * SECOND))
        .layer(world.connector.clone().connect_timeout(SECOND / 5));
    let lender = pool.service(target.clone());

    // As many as may be; then those who wait are served in their order.
    let one = soon(lender.checkout()).await.unwrap();
    let two = soon(lender.checkout()).await.unwrap();
    let mut third = Box::pin(lender.checkout());
    let mut fourth = Box::pin(lender.checkout());
    for waiting in [&mut third, &mut fourth] {
        assert!(timeout(SECOND / 20, waiting).await.is_err());
    }
    assert_eq!(pool.stats_of(&target).unwrap().waiting, 2);
    drop(one);
    let third = soon(third).await.unwrap();
    drop(two);
    let fourth = soon(fourth).await.unwrap();
    let stats = pool.stats_of(&target).unwrap();
    assert_eq!((stats.opened, stats.reused, stats.lent), (2, 2, 2));
    drop((third, fourth));

    // What has died is not lent.
    world.servers.remove(0).end().await;
    let error = soon(lender.checkout()).await.unwrap_err();
    assert!(matches!(error, PoolError::Connect(_)), "{error}");
    // And a failure gives its slot back.
    let stats = pool.stats_of(&target).unwrap();
    assert_eq!((stats.open, stats.connecting, stats.lent), (0, 0, 0));
    assert_eq!((stats.failed, stats.closed.dead), (1, 2));
    pool.close();
    let closed = soon(lender.checkout()).await;
    assert!(matches!(closed, Err(PoolError::Closed)));
}

/// Opens a session, and closes it; says at which server, by its port.
async fn visit<S>(client: &mut S) -> u16
where
    S: Service<Request<()>, Response = Response<Session>, Error: std::fmt::Debug>,
{
    let request = Request::get("/").body(()).unwrap();
    let ready = soon(client.ready()).await.unwrap();
    let session = soon(ready.call(request)).await.unwrap().into_body();
    session.close(0, "");
    session.closed().await;
    session.connection().remote_address().port()
}

#[tokio::test]
async fn load_balancer() {
    let mut world = World::new(3);
    let targets = world.targets();
    let ports: Vec<_> = targets.iter().map(|target| target.port()).collect();
    let pool = PoolLayer::new(1)
        .shared(Connection::max_sessions)
        .completion(CompleteOnClose)
        .layer(world.connector.clone());
    for target in &targets {
        soon(pool.warm(target.clone(), 1)).await.unwrap();
    }
    let often = probes::handshake(world.connector.clone())
        .interval(SECOND / 20)
        .fast_interval(SECOND / 20)
        .timeout(SECOND);
    let monitor = Monitor::builder()
        .probes(often)
        .combine(Combine::EitherEjects)
        .build();
    let (judge, lent) = (monitor.clone(), pool.clone());
    let lender = move |target: Target| {
        judge
            .layer(target.clone())
            .classify(outcomes::boxed)
            .layer(lent.service(target))
    };

    // Nobody to choose from is an error; one twice is one.
    let nobody = BalanceLayer::<u8>::try_new([]);
    assert!(matches!(nobody, Err(NoTargets { .. })));
    let twice = targets.iter().chain(&targets).cloned();

    // In turn.
    let mut client = BalanceLayer::new(twice)
        .policy(RoundRobin::default())
        .layer(lender.clone());
    assert_eq!(client.snapshot().known, 3);
    let mut visits = Vec::new();
    for _ in 0..6 {
        visits.push(visit(&mut client).await);
    }
    assert_eq!(visits, [&ports[..], &ports[..]].concat());
    // A connection is made once, and used again.
    assert_eq!(pool.stats().total.opened, 3);

    // By weight, which may change: 0 is never, and all 0 is all alike.
    let mut client = BalanceLayer::new(targets.clone())
        .policy(Weighted::default())
        .layer(lender.clone());
    for (target, weight) in targets.iter().zip([3, 0, 1]) {
        assert!(client.set_weight(target, weight));
    }
    let mut counts = HashMap::<_, usize>::new();
    for _ in 0..8 {
        *counts.entry(visit(&mut client).await).or_default() += 1;
    }
    assert_eq!(counts, HashMap::from([(ports[0], 6), (ports[2], 2)]));
    for target in &targets {
        client.set_weight(target, 0);
    }
    counts.clear();
    for _ in 0..9 {
        *counts.entry(visit(&mut client).await).or_default() += 1;
    }
    assert_eq!(counts.len(), 3);

    // By latency.
    let mut client = BalanceLayer::new(targets.clone())
        .policy(LeastLatency::default())
        .layer(lender.clone());
    for _ in 0..20 {
        visit(&mut client).await;
    }
    let snapshot = client.snapshot();
    assert_eq!((snapshot.calls, snapshot.failures), (20, 0));
    assert!(
        snapshot
            .backends
            .iter()
            .any(|backend| backend.latency.is_some())
    );

    // Checked in the background: one that is gone is out, and comes back.
    let gone = world.servers.remove(0);
    let (target, address) = (gone.target.clone(), gone.end().await);
    until(|| monitor.snapshot().down > 0).await;
    assert!(monitor.state(&target).is_some());
    let back = crate::world::Server::again(&world.identity, address).await;
    world.servers.push(back);
    until(|| monitor.snapshot().down == 0).await;

    assert_eq!(soon(client.shutdown(SECOND)).await, 0);
}

/// Retries, many at once, one that is kept, and whether somebody is there.
#[tokio::test]
async fn utils() {
    let world = World::new(3);
    let target = world.servers[0].target.clone();

    // Three more attempts, after 1, 2 and 4 seconds, if nothing is spread.
    let delays: Vec<_> = Exponential::default()
        .jitter(Jitter::None)
        .delays()
        .take(3)
        .collect();
    assert_eq!(delays, [SECOND, 2 * SECOND, 4 * SECOND]);
    let policy = StandardPolicy::new(classes::connect, Exponential::default().base(SECOND / 100));
    let hasty = world.connector.clone().connect_timeout(SECOND / 20);
    let retry = RetryLayer::new(policy.clone()).layer(hasty);
    assert!(soon(retry.clone().oneshot(dead())).await.is_err());
    assert_eq!(policy.stats().retries, 3);
    soon(retry.oneshot(target.clone())).await.unwrap();

    // Each target with its own result, ten at once.
    let pool = PoolLayer::<_, Request<()>, _>::new(1)
        .layer(world.connector.clone().connect_timeout(SECOND));
    let missing = dead();
    let wanted = world.targets().into_iter().chain([missing.clone()]);
    let mut warming = pool.warm_all(wanted);
    let mut results = HashMap::new();
    let mut next = async || soon(poll_fn(|cx| Pin::new(&mut warming).poll_next(cx))).await;
    while let Some((target, result)) = next().await {
        results.insert(target, result.is_ok());
    }
    assert_eq!(results.len(), 4);
    assert!(
        results
            .iter()
            .all(|(target, made)| *made == (*target != missing))
    );

    // A pool of one is a connection that is there whenever it is asked for.
    let first = soon(pool.service(target.clone()).checkout()).await.unwrap();
    let connection = Connection::clone(&first);
    drop(first);
    connection.close(0, "").await;
    let second = soon(pool.service(target).checkout()).await.unwrap();
    assert_ne!(second.id(), connection.id());

    // TCP, of one and of many, and QUIC, which says what counts.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listening = listener.local_addr().unwrap();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(TcpConnect::new().connect(listening).await.is_ok());
    let mut all = TcpConnect::new().connect_all([listening, silent]);
    let mut found = HashMap::new();
    while let Some((address, result)) = soon(all.next()).await {
        found.insert(address, result.is_ok());
    }
    assert_eq!(found, HashMap::from([(listening, true), (silent, false)]));
    let began = Instant::now();
    let asked = world
        .connector
        .connect_timeout(SECOND / 10)
        .oneshot(listening.into());
    assert!(matches!(soon(asked).await, Err(ConnectError::TimedOut)));
    assert!(began.elapsed() >= SECOND / 10);
}

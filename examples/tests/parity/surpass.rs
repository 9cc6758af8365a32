//! One test for each clause that takes more than one crate; named after the clause.

use std::time::Duration;

use axum::http::{Request, Response};
use examples::{BoxError, outcomes, probes};
use tokio::time::{Instant, sleep};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_balance::{Adaptive, BalanceLayer, Policy, RoundRobin};
use wt_connection::{
    CompleteOnClose, ConnectError, Connection, ConnectionState, Connections, Connector, Endpoint,
    Identity, Server, Session, Target, Trust,
};
use wt_health::Monitor;
use wt_pool::{Pool, PoolLayer};
use wt_retry::backoff::{Backoff, Exponential};
use wt_retry::budget::RatioBudget;
use wt_retry::{DeadlineLayer, RetryLayer, StandardPolicy, Verdict};

use crate::world::{SECOND, World, dead, soon, until};

/// Asked for by a name, which may have addresses of both families, and by one of the newer family.
#[tokio::test]
async fn name_and_v6_targets_work() {
    let world = World::new(1);
    let by_name = format!("https://localhost:{}", world.servers[0].target.port());
    let target: Target = by_name.parse().unwrap();
    let connection = soon(world.connector.clone().oneshot(target)).await.unwrap();
    soon(connection.open("/")).await.unwrap();

    // Not every machine has the newer one.
    let newer = Endpoint::server("[::1]:0".parse().unwrap(), world.identity.clone());
    let Ok(server) = newer else { return };
    let literal = format!("https://[::1]:{}", server.local_address().unwrap().port());
    tokio::spawn(examples::echo::serve(server));
    let target: Target = literal.parse().unwrap();
    let connection = soon(world.connector.oneshot(target)).await.unwrap();
    soon(connection.open("/")).await.unwrap();
}

#[tokio::test]
async fn a_dead_port_fails_by_the_connect_timeout() {
    let world = World::new(0);
    let connector = world.connector.connect_timeout(SECOND / 5);
    let began = Instant::now();

    let error = soon(connector.oneshot(dead())).await.unwrap_err();

    assert!(matches!(error, ConnectError::TimedOut), "{error}");
    assert!((SECOND / 5..2 * SECOND).contains(&began.elapsed()));
}

fn closed(connection: &Connection) -> impl Future<Output = ()> + Send + use<> {
    let connection = connection.clone();
    async move { drop(connection.closed().await) }
}

/// The pool is told of a connection's end by the connection.
#[tokio::test]
async fn a_checkout_never_yields_a_dead_connection() {
    let world = World::new(1);
    let pool = PoolLayer::<_, Request<()>, _>::new(1)
        .closed(closed)
        .layer(world.connector.clone());
    let lender = pool.service(world.servers[0].target.clone());
    for _ in 0..20 {
        let lent = soon(lender.checkout()).await.unwrap();
        assert_eq!(lent.state(), ConnectionState::Connected);
        let connection = Connection::clone(&lent);
        drop(lent);
        let mut states = connection.states();

        connection.quic().close(0_u32.into(), b"");
        soon(states.wait_for(|state| state.is_final()))
            .await
            .unwrap();

        let next = soon(lender.checkout()).await.unwrap();
        assert_ne!(next.id(), connection.id());
    }
}

/// One socket of a client's makes all its connections.
#[tokio::test]
async fn many_sessions_are_multiplexed_on_each_pooled_connection() {
    let world = World::new(1);
    let pool = shared(&world.connector, 2);
    let service = pool.service(world.servers[0].target.clone());
    let mut sessions = Vec::new();
    for _ in 0..100 {
        let request = Request::get("/").body(()).unwrap();
        let opened = soon(service.clone().oneshot(request)).await;
        sessions.push(opened.unwrap().into_body());
    }

    let stats = pool.stats().total;
    assert_eq!((stats.opened, stats.lent), (1, 100));
}

pub(crate) fn shared(
    connector: &Connector,
    max_connections: usize,
) -> Pool<Connector, Target, Request<()>, CompleteOnClose> {
    PoolLayer::new(max_connections)
        .shared(Connection::max_sessions)
        .completion(CompleteOnClose)
        .layer(connector.clone())
}

/// A listener of TCP is no server: only a probe over QUIC says so, and only it restores.
#[tokio::test]
async fn a_failed_target_is_restored_by_a_probe_at_the_level_of_quic() {
    let mut world = World::new(1);
    let gone = world.servers.remove(0);
    let (target, address) = (gone.target.clone(), gone.end().await);
    let connector = world.connector.clone().connect_timeout(SECOND / 10);
    let probes = probes::handshake(connector.clone()).fast_interval(SECOND / 50);
    let monitor = Monitor::builder().probes(probes).build();
    let mut service = monitor.layer(target.clone()).layer(service_fn(move |()| {
        connector.clone().oneshot(target.clone())
    }));
    for _ in 0..5 {
        soon(service.ready())
            .await
            .unwrap()
            .call(())
            .await
            .unwrap_err();
    }
    assert_eq!(monitor.snapshot().ejected, 1);
    let listener = std::net::TcpListener::bind(address);

    until(|| monitor.snapshot().backends[0].probes_failed >= 3).await;
    assert_eq!(monitor.snapshot().in_rotation, 0);
    let back = crate::world::Server::again(&world.identity, address).await;
    world.servers.push(back);

    until(|| monitor.snapshot().ejected == 0).await;
    soon(service.ready()).await.unwrap().call(()).await.unwrap();
    drop(listener);
}

/// One of two servers is dead, and not one call of six fails.
#[tokio::test]
async fn fail_over_is_within_one_request() {
    let mut world = World::new(2);
    let targets = world.targets();
    world.servers.remove(0).end().await;
    let pool = shared(&world.connector.clone().connect_timeout(SECOND / 5), 1);
    let classify = |_: &Request<()>, result: Result<&_, &BoxError>| match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, Exponential::default().base(SECOND / 100));
    let client = ServiceBuilder::new()
        .layer(DeadlineLayer::new(20 * SECOND))
        .layer(RetryLayer::new(policy.clone()))
        .layer(
            BalanceLayer::new(targets)
                .policy(RoundRobin::default())
                .completion(CompleteOnClose),
        )
        .service(move |target| {
            // A connect that fails is the call's, so that there is something to fail over from.
            let pool = pool.clone();
            let connect = service_fn(move |request: Request<()>| {
                let (pool, target) = (pool.clone(), target.clone());
                async move {
                    let lent = pool.oneshot(target).await?;
                    let response = Connection::clone(&lent).oneshot(request).await?;
                    Ok::<Response<Session>, BoxError>(response)
                }
            });
            ServiceBuilder::new()
                .layer(TimeoutLayer::new(SECOND))
                .service(connect)
        });

    for _ in 0..6 {
        let request = Request::get("/").body(()).unwrap();
        let session = soon(client.clone().oneshot(request))
            .await
            .unwrap()
            .into_body();
        session.close(0, "");
    }

    let stats = policy.stats();
    assert!(stats.retries >= 1, "{stats:?}");
}

/// How many of a hundred calls the slow one of three backends gets.
async fn slow_ones<P: Policy<()> + Clone>(policy: P) -> u64 {
    let layer = BalanceLayer::new(0..3).policy(policy);
    let mut client = layer.layer(|backend: u32| {
        service_fn(move |()| async move {
            sleep(if backend == 0 { SECOND } else { SECOND / 100 }).await;
            Ok::<_, BoxError>(())
        })
    });
    for _ in 0..100 {
        client.ready().await.unwrap().call(()).await.unwrap();
    }
    let backends = client.snapshot().backends;
    backends
        .iter()
        .find(|backend| backend.key == 0)
        .unwrap()
        .calls
}

#[tokio::test(start_paused = true)]
async fn latency_beats_turns_with_one_slow_target() {
    let turns = slow_ones(RoundRobin::default()).await;
    let latency = slow_ones(Adaptive::default()).await;

    assert!((33..=34).contains(&turns));
    assert!(latency <= 5, "{latency} calls of 100");
}

/// The class of an outcome, the seed, the cap and the deadline, and the budget; by the clock.
#[tokio::test(start_paused = true)]
async fn retries_have_jitter_cap_deadline_budget_and_classes_and_can_be_repeated() {
    let backoff = |seed| Exponential::default().cap(3 * SECOND).seed(seed);
    let of = |seed| backoff(seed).delays().take(20).collect::<Vec<_>>();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert!(of(1).iter().all(|delay| *delay <= 3 * SECOND));

    let classify = |_: &u8, result: Result<&(), &BoxError>| match result {
        Err(error) if error.to_string() == "again" => Verdict::Retry,
        _ => Verdict::Return,
    };
    let budget = RatioBudget::default().burst(0).floor(0);
    let policy = StandardPolicy::new(classify, backoff(1));
    let fails =
        |why: &'static str| service_fn(move |_: u8| async move { Err::<(), BoxError>(why.into()) });

    let began = Instant::now();
    let slept: Duration = of(1)[..3].iter().sum();
    let _ = RetryLayer::new(policy.clone())
        .layer(fails("again"))
        .oneshot(0)
        .await;
    assert_eq!(policy.stats().retries, 3);
    // The timer's own steps are of a millisecond.
    let exact = began.elapsed().saturating_sub(slept);
    assert!(
        exact <= Duration::from_millis(3),
        "{exact:?} more than the seed says"
    );

    let _ = RetryLayer::new(policy.clone())
        .layer(fails("never"))
        .oneshot(0)
        .await;
    assert_eq!(policy.stats().retries, 3, "what is final is not sent again");

    let poor = policy.clone().budget(budget);
    let before = poor.stats().retries;
    let _ = RetryLayer::new(poor.clone())
        .layer(fails("again"))
        .oneshot(0)
        .await;
    assert_eq!(poor.stats().retries, before, "there is no budget");

    let began = Instant::now();
    let hasty = DeadlineLayer::new(SECOND / 2).layer(RetryLayer::new(policy).layer(fails("again")));
    assert!(hasty.oneshot(0).await.is_err());
    assert!(began.elapsed() <= SECOND / 2 + Duration::from_millis(1));
}

/// A client too many is refused, and those that are in do not notice.
#[tokio::test]
async fn max_connections_sheds_without_harming_the_live() {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let endpoint = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
    let target = Target::from(endpoint.local_address().unwrap());
    let connections = Connections::new().max_connections(1);
    let app = axum::Router::new().route(
        "/",
        axum::routing::any(|upgrade: wt_connection::WebTransportUpgrade| async {
            upgrade.on_session(|session| async move {
                while let Ok(datagram) = session.read_datagram().await {
                    let _ = session.send_datagram(datagram);
                }
            })
        }),
    );
    tokio::spawn(
        Server::new(endpoint)
            .connections(connections.clone())
            .serve(app),
    );
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    let live = soon(connector.clone().oneshot(target.clone()))
        .await
        .unwrap();
    let session = soon(live.open("/")).await.unwrap();
    examples::echo::datagram(&session, b"before").await.unwrap();

    for _ in 0..10 {
        let refused = soon(connector.clone().oneshot(target.clone())).await;
        assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    }

    assert_eq!(connections.stats().refused, 10);
    examples::echo::datagram(&session, b"after").await.unwrap();
    assert_eq!(live.info().error_count, 0);
}

/// Everything of a fleet that can be told, in one place.
#[tokio::test]
async fn figures_of_all_layers_add_up() {
    let world = World::new(2);
    let pool = shared(&world.connector, 2);
    let monitor = Monitor::new();
    let (lender, judge) = (pool.clone(), monitor.clone());
    let balance = BalanceLayer::new(world.targets())
        .completion(CompleteOnClose)
        .layer(move |target: Target| {
            judge
                .layer(target.clone())
                .classify(outcomes::boxed)
                .layer(lender.service(target))
        });
    let mut client = balance.clone();
    for _ in 0..10 {
        let request = Request::get("/").body(()).unwrap();
        let ready = soon(client.ready()).await.unwrap();
        let session = soon(ready.call(request)).await.unwrap().into_body();
        session.close(0, "");
        session.closed().await;
    }

    let (balanced, judged, lent) = (balance.snapshot(), monitor.snapshot(), pool.stats().total);
    assert_eq!(
        (balanced.calls, balanced.failures, balanced.in_flight),
        (10, 0, 0)
    );
    assert_eq!(
        judged.backends.iter().map(|one| one.successes).sum::<u64>(),
        10
    );
    // Those that did not open a connection found one there.
    assert!(
        lent.opened <= 2 && lent.opened + lent.reused >= 10,
        "{lent:?}"
    );
    assert_eq!(lent.lent, 0);
}

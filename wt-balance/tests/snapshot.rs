//! The figures.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, Is, Key, MILLISECOND, SECOND, World, ask, settle};
use tokio::time::sleep;
use tower::{Layer, ServiceBuilder};
use wt_balance::{BalanceLayer, Figures, PickFirst, RoundRobin, Snapshot};

#[tokio::test(start_paused = true)]
async fn each_backend_has_its_figures_and_all_have_their_sum() {
    let world = World::default();
    world.act("a", Act::After(100 * MILLISECOND));
    world.act("b", Act::Fail);
    world.is("c", Is::Busy);
    let layer = BalanceLayer::new(["a", "b", "c"])
        .policy(RoundRobin::new())
        .rest(Duration::ZERO);
    let balance = layer.layer(world.maker());
    for _ in 0..12 {
        let _ = ask(&mut balance.clone()).await;
    }
    world.act("a", Act::Hang);
    let mut hanging = balance.clone();
    tokio::spawn(async move { ask(&mut hanging).await });
    settle().await;
    balance.set_weight(&"c", 5);

    let Snapshot {
        backends,
        known,
        ready,
        failing,
        gone,
        used,
        in_flight,
        calls,
        failures,
        ..
    } = balance.snapshot();

    assert_eq!((known, ready, failing, gone, used), (3, 2, 1, 0, 3));
    assert_eq!((in_flight, calls, failures), (1, 13, 6));
    let [a, b, c] = &backends[..] else {
        panic!("{backends:?}");
    };
    assert_eq!((a.key, a.weight, a.priority), ("a", 1, 0));
    assert_eq!((a.calls, a.failures, a.in_flight), (7, 0, 1));
    let latency = a.latency.unwrap();
    assert!(
        latency > 90 * MILLISECOND && latency <= 100 * MILLISECOND,
        "{latency:?}"
    );
    assert!(a.ready && !a.failing && a.used && !a.gone);
    assert!((a.share - 7.0 / 13.0).abs() < 1e-9);
    assert_eq!((b.calls, b.failures, b.latency), (6, 6, None));
    assert!(b.ready && b.failing);
    assert_eq!((c.calls, c.weight, c.latency), (0, 5, None));
    assert!(!c.ready && !c.failing);
    // It has not been asked since.
    sleep(60 * SECOND).await;
    assert!(!balance.snapshot().backends[2].ready);
}

/// What the balancer of connections told that this one follows, by its names: of all targets, and
/// of each.
#[tokio::test(start_paused = true)]
async fn the_figures_are_those_of_a_balancer_of_connections_and_more() {
    let world = World::default();
    world.act("one:443", Act::After(100 * MILLISECOND));
    world.act("two:443", Act::Fail);
    let layer = BalanceLayer::new(["one:443", "two:443", "three:443"])
        .policy(RoundRobin::new())
        .rest(Duration::ZERO);
    let balance = layer.layer(world.maker());
    balance.set_weight(&"one:443", 3);
    for _ in 0..9 {
        let _ = ask(&mut balance.clone()).await;
    }
    world.is("three:443", Is::Gone);
    // Before it is made anew.
    world.act("one:443", Act::Answer);
    for _ in 0..3 {
        let _ = ask(&mut balance.clone()).await;
    }
    world.act("one:443", Act::Hang);
    let mut hanging = balance.clone().policy(PickFirst::default());
    tokio::spawn(async move { ask(&mut hanging).await });
    settle().await;

    let snapshot = balance.snapshot();

    let total_targets = snapshot.known;
    let failed_targets = snapshot.failing + snapshot.gone;
    let active_connections = snapshot.in_flight;
    let available_targets = total_targets - failed_targets;
    assert_eq!((total_targets, failed_targets), (3, 2));
    assert_eq!((active_connections, available_targets), (1, 1));
    let target_stats = snapshot.backends.iter().map(|backend| {
        let (host, port) = backend.key.split_once(':').unwrap();
        let failed = backend.failing || backend.gone;
        let connected = backend.in_flight > 0;
        let measured = backend.latency.is_some();
        (host, port, backend.weight, measured, failed, connected)
    });
    assert_eq!(
        target_stats.collect::<Vec<_>>(),
        [
            ("one", "443", 3, true, false, true),
            ("two", "443", 1, false, true, false),
            ("three", "443", 1, true, true, false),
        ]
    );
}

/// Its layers hide the balancer; the handle is no share in it.
#[tokio::test]
async fn figures_are_seen_from_outside_and_keep_nothing() {
    let world = World::default();
    let balance = world.balance(["a", "b"]);
    let figures: Figures<Key> = balance.figures();
    let mut client = ServiceBuilder::new().load_shed().service(balance);

    ask(&mut client).await.unwrap();
    let seen = figures.clone().snapshot();
    assert_eq!((seen.known, seen.calls, seen.backends.len()), (2, 1, 2));
    drop(client);

    assert_eq!(world.services("a") + world.services("b"), 0);
    let seen = figures.snapshot();
    assert_eq!((seen.known, seen.calls, seen.backends.len()), (0, 0, 0));
}

#[test]
fn before_the_first_call_there_is_no_share() {
    let snapshot = World::default().balance(["a"]).snapshot();

    assert_eq!(snapshot.backends[0].share, 0.0);
}

//! The figures of each backend, and of all.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use tokio_test::{assert_pending, assert_ready_ok};
use tower::{Layer, Service, ServiceExt};
use wt_health::Override;
use wt_health::snapshot::{BackendSnapshot, Snapshot, State};

use common::{Backend, Key, SECOND, calls, ejected, pass, poll, strict};

fn of(snapshot: &Snapshot<Key>, key: Key) -> BackendSnapshot<Key> {
    let mut backends = snapshot.backends.iter();
    backends.find(|backend| backend.key == key).unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_before_and_after_the_end_of_an_interval() {
    let monitor = strict().build();
    let backend = Backend::new();
    let mut service = monitor.layer("a").layer(backend.clone());
    for round in 1..=3 {
        calls(&mut service, 7).await;
        backend.fail(true);
        calls(&mut service, 2).await;
        drop(service.ready().await.unwrap().call(()));
        backend.fail(false);

        let found = of(&monitor.snapshot(), "a");

        assert_eq!(
            (found.successes, found.failures, found.ignored),
            (7 * round, 2 * round, round)
        );
        assert_eq!(found.consecutive_failures, 2);
        pass(6 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn all_are_counted_by_how_they_are() {
    let monitor = strict().build();
    let _a = ejected(&monitor, "a").await;
    let _b = monitor.layer("b");
    let _c = monitor.layer("c");
    let _d = monitor.layer("d");
    monitor.set_override(&"c", Override::Down);
    let gone = ejected(&monitor, "e").await;
    drop(gone);

    let snapshot = monitor.snapshot();

    assert_eq!(snapshot.backends.len(), 5);
    assert_eq!((snapshot.had, snapshot.in_rotation), (4, 2));
    assert_eq!((snapshot.ejected, snapshot.max_ejected), (1, 4));
    assert_eq!((snapshot.down, snapshot.overridden), (0, 1));
    assert!(!snapshot.panic);
    let ejected = of(&snapshot, "a");
    assert!(matches!(ejected.state, State::Ejected { .. }) && !ejected.in_rotation);
    assert_eq!((ejected.ejections, ejected.multiplier), (1, 1));
    let down = of(&snapshot, "c");
    assert_eq!(
        (down.state, down.overridden),
        (State::Up, Some(Override::Down))
    );
    let remembered = of(&snapshot, "e");
    assert!(!remembered.had);
}

#[tokio::test(start_paused = true)]
async fn a_proof_counts() {
    let monitor = strict().build();
    let (mut service, backend) = ejected(&monitor, "a").await;
    service.ready().await.unwrap().call(()).await.unwrap_err();
    backend.fail(false);
    service.ready().await.unwrap().call(()).await.unwrap();

    let found = of(&monitor.snapshot(), "a");

    assert_eq!(
        (found.failures, found.successes, found.ejections),
        (6, 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn an_operator_takes_backends_in_and_out() {
    let monitor = strict().build();
    let (mut bad, _) = ejected(&monitor, "a").await;
    let mut good = monitor.layer("b").layer(Backend::new());

    monitor.set_override(&"a", Override::Up);
    monitor.set_override(&"b", Override::Drain);

    assert_ready_ok!(poll(&mut bad));
    calls(&mut bad, 10).await;
    assert_ready_ok!(poll(&mut bad));
    assert_pending!(poll(&mut good));
    pass(1000 * SECOND).await;
    assert_pending!(poll(&mut good));
    // It stays, whoever has the backend.
    drop(good);
    pass(1000 * SECOND).await;
    let mut good = monitor.layer("b").layer(Backend::new());
    assert_pending!(poll(&mut good));
    monitor.set_override(&"b", None);
    assert_ready_ok!(poll(&mut good));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_or_remembers_is_not_there() {
    let monitor = strict().build();
    for _ in 0..1000 {
        drop(monitor.layer("a"));
    }
    assert_eq!(monitor.snapshot().backends.len(), 1);

    pass(11 * SECOND).await;

    assert!(monitor.snapshot().backends.is_empty());
    assert_eq!(monitor.state(&"a"), None);
}

//! The figures, and the events.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};

use common::{
    Act, Backend, Is, Key, MILLISECOND, SECOND, World, ask, ask_times, discovery, settle,
};
use tokio::time::sleep;
use tower::Layer;
use tower::discover::Change;
use tracing_subscriber::layer::{Context, SubscriberExt};
use wt_balance::{Balance, BalanceLayer, PickFirst, RoundRobin, Snapshot};

#[tokio::test(start_paused = true)]
async fn each_backend_has_its_figures_and_all_have_their_sum() {
    let world = World::default();
    world.act("a", Act::After(100 * MILLISECOND));
    world.act("b", Act::Fail);
    world.is("c", Is::Busy);
    let layer = BalanceLayer::new(["a", "b", "c"]).policy(RoundRobin::new());
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

#[test]
fn before_the_first_call_there_is_no_share() {
    let snapshot = World::default().balance(["a"]).snapshot();

    assert_eq!(snapshot.backends[0].share, 0.0);
}

/// Keeps each event as a line.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let meta = event.metadata();
        if meta.target().starts_with("wt_balance") && *meta.level() <= tracing::Level::DEBUG {
            let line = format!("{} {}", meta.level(), common::line_of(event));
            self.0.lock().unwrap().push(line);
        }
    }
}

impl Keep {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_is_an_event() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::default();
    let layer = BalanceLayer::new(["a"])
        .policy(PickFirst::default())
        .patience(SECOND);
    let mut balance = layer.layer(world.maker());
    assert_eq!(keep.take(), ["DEBUG backend added backend=\"a\""]);

    balance.set_weight(&"a", 3);
    assert_eq!(keep.take(), ["DEBUG weight set backend=\"a\" weight=3"]);
    world.act("a", Act::Fail);
    for _ in 0..3 {
        let _ = ask(&mut balance).await;
    }
    assert_eq!(keep.take(), ["DEBUG backend fails backend=\"a\""]);
    world.act("a", Act::Answer);
    ask_times(&mut balance, 5).await;
    assert_eq!(keep.take(), ["DEBUG backend recovered backend=\"a\""]);
    world.is("a", Is::Gone);
    let _ = ask(&mut balance).await;
    let lines = keep.take();
    assert_eq!(
        lines[..2],
        [
            "DEBUG backend gone backend=\"a\"",
            "DEBUG backend made anew backend=\"a\""
        ]
    );
    assert_eq!(
        lines.last().unwrap(),
        "DEBUG no backend for a call nobody=no backend is known"
    );
    layer.targets().remove(&"a");
    assert_eq!(keep.take(), ["DEBUG backend removed backend=\"a\""]);
    drop(balance.shutdown(SECOND));
    assert_eq!(keep.take(), ["DEBUG shut down"]);
}

#[tokio::test(start_paused = true)]
async fn discovery_has_events() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::default();
    let (changes, stream) = discovery::<Backend>();
    let _balance: Balance<Key, Backend> = Balance::new(stream);

    for _ in 0..2 {
        let insert = Change::Insert("a", world.backend("a"));
        changes.send(Ok(insert)).await.unwrap();
        settle().await;
    }
    changes.send(Err("no answer".into())).await.unwrap();
    drop(changes);
    sleep(10 * SECOND).await;

    assert_eq!(
        keep.take(),
        [
            "DEBUG backend added backend=\"a\"",
            "DEBUG backend changed backend=\"a\"",
            "WARN discovery failed error=no answer",
            "DEBUG discovery ended",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_is_no_event() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut balance = World::default().balance(["a", "b"]);
    keep.take();

    ask_times(&mut balance, 10).await;

    assert!(keep.take().is_empty());
}

//! The events.
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
use wt_balance::{Balance, BalanceLayer, PickFirst, RoundRobin};

/// One after the other, in a process alone: `tracing` remembers who is interested in an event by
/// who was there when it came first, on any thread.
#[tokio::test(start_paused = true)]
async fn what_changes_is_an_event_and_calls_are_none() {
    what_changes_is_an_event().await;
    discovery_has_events().await;
    that_most_fail_is_an_event().await;
    a_call_that_succeeds_is_no_event().await;
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

async fn that_most_fail_is_an_event() {
    const KEYS: [Key; 4] = ["a", "b", "c", "d"];
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::default();
    let layer = BalanceLayer::new(KEYS)
        .policy(RoundRobin::new())
        .panic_threshold(0.5);
    let mut balance = layer.layer(world.maker());
    ask_times(&mut balance, 4).await;
    let of_all = |lines: Vec<String>| {
        let mut lines = lines.into_iter();
        lines.find(|line| line.contains("together"))
    };

    KEYS[1..].iter().for_each(|key| world.act(key, Act::Fail));
    for _ in 0..100 {
        let _ = ask(&mut balance).await;
        sleep(MILLISECOND).await;
    }
    let begun = of_all(keep.take());
    KEYS.iter().for_each(|key| world.act(key, Act::Answer));
    for _ in 0..100 {
        ask(&mut balance).await.unwrap();
        sleep(MILLISECOND).await;
    }

    assert_eq!(
        begun.unwrap(),
        "DEBUG backends fail together panics=true sound=1 of=4"
    );
    let over = of_all(keep.take()).unwrap();
    assert!(
        over.starts_with("DEBUG backends fail together panics=false"),
        "{over}"
    );
}

async fn a_call_that_succeeds_is_no_event() {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut balance = World::default().balance(["a", "b"]);
    keep.take();

    ask_times(&mut balance, 10).await;

    assert!(keep.take().is_empty());
}

//! What becomes of a call that no backend takes.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::{Act, Backend, Is, Key, SECOND, World, ask, discovery, poll_ready, settle};
use tokio::time::{Instant, timeout};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::discover::Change;
use tower::{BoxError, Layer, Service, ServiceExt};
use wt_balance::{Balance, BalanceLayer, Ring, Unavailable};

fn why(result: Result<Key, BoxError>) -> Unavailable {
    *result.unwrap_err().downcast_ref().unwrap()
}

/// An empty set whose discovery has ended, too: nobody will ever come.
#[tokio::test(start_paused = true)]
async fn an_empty_set_is_not_waited_for_for_ever() {
    let (changes, stream) = discovery::<Backend>();
    drop(changes);
    let mut balance = Balance::new(stream);
    let since = Instant::now();

    let result = timeout(60 * SECOND, ask(&mut balance)).await.unwrap();

    assert_eq!(why(result), Unavailable::Empty);
    assert_eq!(since.elapsed(), 5 * SECOND, "as the docs say");
}

#[tokio::test(start_paused = true)]
async fn a_set_that_has_become_empty_is_not_either() {
    let layer = BalanceLayer::new(["a"]).patience(SECOND);
    let mut balance = layer.layer(World::default().maker());
    layer.targets().remove(&"a");

    let result = timeout(60 * SECOND, ask(&mut balance)).await.unwrap();

    assert_eq!(why(result), Unavailable::Empty);
}

#[tokio::test(start_paused = true)]
async fn backends_that_stay_busy_are_told_apart_from_none() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(2 * SECOND);
    let mut balance = layer.layer(world.maker());
    let since = Instant::now();

    assert_eq!(why(ask(&mut balance).await), Unavailable::Busy);
    assert_eq!(since.elapsed(), 2 * SECOND);
    world.is("a", Is::Ready);
    assert_eq!(ask(&mut balance).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn without_patience_it_fails_at_once() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(Duration::ZERO);
    let mut balance = layer.layer(world.maker());
    let since = Instant::now();

    assert_eq!(why(ask(&mut balance).await), Unavailable::Busy);
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn without_patience_or_any_backend_it_fails_at_once() {
    let layer = BalanceLayer::<Key>::default().patience(Duration::ZERO);
    let mut balance = layer.layer(World::default().maker());
    let since = Instant::now();

    assert_eq!(why(ask(&mut balance).await), Unavailable::Empty);
    assert_eq!(since.elapsed(), Duration::ZERO);
}

/// Discovery has ended, and each service says that it has failed for good: nobody brings them back.
#[tokio::test(start_paused = true)]
async fn where_all_are_gone_for_good_it_fails_after_its_patience() {
    let world = World::default();
    let (changes, stream) = discovery();
    let mut balance = Balance::new(stream);
    for key in ["a", "b", "c"] {
        let insert = Change::Insert(key, world.backend(key));
        changes.send(Ok(insert)).await.unwrap();
    }
    drop(changes);
    settle().await;
    ask(&mut balance).await.unwrap();
    for key in ["a", "b", "c"] {
        world.is(key, Is::Gone);
    }

    for _ in 0..3 {
        let since = Instant::now();
        let result = timeout(60 * SECOND, ask(&mut balance)).await.unwrap();

        assert_eq!(why(result), Unavailable::Empty);
        assert_eq!(since.elapsed(), 5 * SECOND);
    }
    let snapshot = balance.snapshot();
    assert_eq!((snapshot.known, snapshot.gone, snapshot.used), (3, 3, 0));
}

#[tokio::test]
async fn a_keyed_policy_waits_inside_the_future() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).policy(Ring::new(|request: &u32| *request));
    let mut balance = task::spawn(layer.layer(world.maker()));

    assert_ready_ok!(poll_ready(&mut balance));
    let mut call = task::spawn(balance.call(7));
    assert_pending!(call.poll());
    world.is("a", Is::Ready);

    assert!(call.is_woken());
    assert_eq!(call.await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_keyed_policy_has_patience_too() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).policy(Ring::new(|request: &u32| *request));
    let mut balance = layer.layer(world.maker());
    let since = Instant::now();

    assert_eq!(why(ask(&mut balance).await), Unavailable::Busy);
    assert_eq!(since.elapsed(), 5 * SECOND);
}

/// Its backends come and go; it is ready all the same, and waits in the future of the call.
#[tokio::test(start_paused = true)]
async fn a_keyed_policy_is_ready_without_backends_too() {
    let world = World::default();
    let layer = BalanceLayer::default().policy(Ring::new(|request: &u32| *request));
    let mut balance = layer.layer(world.maker());

    let ready = task::spawn(balance.ready()).poll().is_ready();
    assert!(ready);
    let call = tokio::spawn(balance.call(0));
    settle().await;
    layer.targets().insert("a");

    assert_eq!(call.await.unwrap().unwrap(), "a");
}

/// The first backend arrives while somebody is about to wait for it.
#[tokio::test(start_paused = true)]
async fn the_first_backend_wakes_whoever_waits() {
    let world = World::default();
    let (changes, stream) = discovery();
    let balance = Balance::new(stream);
    let since = Instant::now();
    let waiting = tokio::spawn({
        let mut balance = balance.clone();
        async move { ask(&mut balance).await }
    });
    settle().await;

    let insert = Change::Insert("a", world.backend("a"));
    changes.send(Ok(insert)).await.unwrap();

    assert_eq!(waiting.await.unwrap().unwrap(), "a");
    assert_eq!(
        since.elapsed(),
        Duration::ZERO,
        "at once, not by its patience"
    );
}

/// Real threads: whatever the order of the arrival and the wait for it is.
#[test]
fn no_order_of_arrival_and_wait_loses_the_wake_up() {
    for _ in 0..2000 {
        let layer = BalanceLayer::<Key>::default().patience(10 * SECOND);
        let balance = layer.layer(World::default().maker());
        let targets = layer.targets();
        let together = std::sync::Arc::new(std::sync::Barrier::new(2));
        let ready = std::sync::Arc::clone(&together);
        let arrival = std::thread::spawn(move || {
            ready.wait();
            targets.insert("a")
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();

        let since = Instant::now();
        let mut balance = balance.clone();
        let key = runtime.block_on(async {
            together.wait();
            ask(&mut balance).await.unwrap()
        });

        assert_eq!(key, "a");
        assert!(since.elapsed() < 5 * SECOND);
        assert!(arrival.join().unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_calls_under_way_and_lets_no_other_in() {
    let world = World::default();
    for key in ["a", "b"] {
        world.act(key, Act::After(SECOND));
    }
    let mut balance = world.balance(["a", "b"]);
    let calls: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let mut balance = balance.clone();
                async move { ask(&mut balance).await }
            })
        })
        .collect();
    settle().await;
    let mut ready = balance.clone();
    ready.ready().await.unwrap();
    let since = Instant::now();

    let left = balance.shutdown(10 * SECOND).await;

    assert_eq!((left, since.elapsed()), (0, SECOND));
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(why(ask(&mut balance).await), Unavailable::Closed);
    assert_eq!(why(ready.call(0).await), Unavailable::Closed);
    assert_eq!(balance.snapshot().known, 0);
    drop(ready);
    assert_eq!(world.services("a") + world.services("b"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_at_its_deadline_and_says_what_is_left() {
    let world = World::default();
    world.act("a", Act::Hang);
    let balance = world.balance(["a"]);
    let hanging = tokio::spawn({
        let mut balance = balance.clone();
        async move { ask(&mut balance).await }
    });
    settle().await;

    assert_eq!(balance.shutdown(SECOND).await, 1);
    hanging.abort();
    assert_eq!(balance.shutdown(Duration::MAX).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_waits() {
    let world = World::default();
    world.is("a", Is::Busy);
    let balance = world.balance(["a"]);
    let waiting = tokio::spawn({
        let mut balance = balance.clone();
        async move { ask(&mut balance).await }
    });
    settle().await;
    let since = Instant::now();

    drop(balance.shutdown(SECOND));

    assert_eq!(why(waiting.await.unwrap()), Unavailable::Closed);
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[test]
fn without_targets_there_is_no_layer() {
    let none: [Key; 0] = [];

    assert!(BalanceLayer::try_new(none).is_err());
    assert!(BalanceLayer::try_new(["a"]).is_ok());
}

#[test]
#[should_panic(expected = "at least one target")]
fn without_targets_new_panics() {
    let _ = BalanceLayer::<Key>::new([]);
}

/// Whoever is polled late each time, as by a runtime that is overloaded, was given patience anew
/// each time.
#[tokio::test(start_paused = true)]
async fn whoever_is_always_late_does_not_wait_for_ever() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(SECOND);
    let mut balance = task::spawn(layer.layer(world.maker()));
    assert_pending!(poll_ready(&mut balance));

    tokio::time::sleep(3 * SECOND).await;
    assert_pending!(poll_ready(&mut balance));
    tokio::time::sleep(3 * SECOND).await;

    assert_ready_ok!(poll_ready(&mut balance));
    assert!(balance.call(0).await.is_err());
}

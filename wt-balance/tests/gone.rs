//! Backends whose services have failed for good, and come back.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    Is, Key, MILLISECOND, SECOND, World, ask, ask_times, count, discovery, poll_ready, settle,
};
use tokio::time::sleep;
use tokio_test::{assert_ready_ok, task};
use tower::discover::Change;
use tower::{Layer, Service};
use wt_balance::{Balance, BalanceLayer, PickFirst, RoundRobin};

/// A service that says it failed for good leaves; its maker makes it anew after a while.
#[tokio::test(start_paused = true)]
async fn what_is_gone_leaves_the_set_until_its_maker_brings_it_back() {
    let world = World::default();
    world.is("a", Is::Gone);
    let layer = BalanceLayer::new(["a", "b"]).policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());

    assert_eq!(ask_times(&mut balance, 4).await, ["b"; 4]);
    let snapshot = balance.snapshot();
    assert!(snapshot.backends[0].gone && !snapshot.backends[0].ready);
    assert_eq!((snapshot.known, snapshot.gone, snapshot.used), (2, 1, 1));
    let asked = world.asked("a");
    ask_times(&mut balance, 4).await;
    assert_eq!(world.asked("a"), asked, "it is not asked again");
    world.is("a", Is::Ready);
    sleep(SECOND).await;

    assert_eq!(count(&ask_times(&mut balance, 4).await, "a"), 2);
    assert_eq!(balance.snapshot().gone, 0);
}

/// A maker that panics, and a runtime that ends before its time has come: it used to be gone for
/// good.
#[test]
fn what_is_gone_comes_back_though_its_maker_panics_and_the_runtime_ends() {
    fn run<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(future)
    }
    let world = World::default();
    let (made, maker) = (Arc::new(AtomicUsize::new(0)), world.maker());
    let count = Arc::clone(&made);
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = layer.layer(move |key| {
        // The first two are the first ones.
        let panics = count.fetch_add(1, Ordering::Relaxed) == 2;
        assert!(!panics, "a panic on purpose");
        maker(key)
    });
    world.is("a", Is::Gone);
    run(async { assert_eq!(ask(&mut balance).await.unwrap(), "b") });
    world.is("a", Is::Ready);
    assert_eq!(made.load(Ordering::Relaxed), 2, "it was too early");

    run(async {
        for _ in 0..200 {
            ask(&mut balance).await.unwrap();
            sleep(10 * MILLISECOND).await;
        }
    });

    assert!(world.calls("a") > 0);
    assert_eq!(balance.snapshot().gone, 0);
    assert_eq!(made.load(Ordering::Relaxed), 4);
}

/// All at once, though they were lost one by one.
#[tokio::test(start_paused = true)]
async fn those_that_are_gone_come_back_together() {
    let world = World::default();
    const ALL: [Key; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];
    ALL.iter().for_each(|key| world.is(key, Is::Gone));
    let mut balance = BalanceLayer::new(ALL).layer(world.maker());
    let call = tokio::spawn({
        let mut balance = balance.clone();
        async move { ask(&mut balance).await }
    });
    settle().await;
    assert_eq!(balance.snapshot().gone, 8);

    ALL.iter().for_each(|key| world.is(key, Is::Ready));
    call.await.unwrap().unwrap();

    assert_eq!(balance.snapshot().gone, 0);
    ask_times(&mut balance, 8).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_again_and_again_is_made_less_and_less_often() {
    let world = World::default();
    world.is("a", Is::Gone);
    let mut balance = BalanceLayer::new(["a", "b"])
        .policy(PickFirst::default())
        .layer(world.maker());

    for _ in 0..6000 {
        assert_eq!(ask(&mut balance).await.unwrap(), "b");
        sleep(10 * MILLISECOND).await;
    }

    // 0.1 s, 0.2 s and so on up to 10 s, in a minute.
    let asked = world.asked("a");
    assert!((8..16).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_leaves_the_set_until_discovery_brings_it_back() {
    let world = World::default();
    let (changes, stream) = discovery();
    let mut balance = Balance::new(stream);
    for key in ["a", "b"] {
        let insert = Change::Insert(key, world.backend(key));
        changes.send(Ok(insert)).await.unwrap();
    }
    settle().await;
    world.is("a", Is::Gone);
    assert_eq!(ask_times(&mut balance, 20).await, ["b"; 20]);
    world.is("a", Is::Ready);
    sleep(60 * SECOND).await;
    assert_eq!(ask_times(&mut balance, 20).await, ["b"; 20]);

    let insert = Change::Insert("a", world.backend("a"));
    changes.send(Ok(insert)).await.unwrap();
    settle().await;

    assert!(count(&ask_times(&mut balance, 20).await, "a") > 0);
}

#[tokio::test]
async fn a_ready_instance_whose_service_dies_takes_another() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = task::spawn(layer.layer(world.maker()));
    assert_ready_ok!(poll_ready(&mut balance));

    world.is("a", Is::Gone);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "b");
    assert_eq!(balance.snapshot().gone, 1);
}

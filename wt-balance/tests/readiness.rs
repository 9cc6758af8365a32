//! Who is asked whether it is ready, who is called, and what is given back.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use common::{Act, Backend, Is, SECOND, World, ask, ask_times, poll_ready, settle};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, coop};
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt};
use wt_balance::{BalanceLayer, PickFirst, RoundRobin};

#[tokio::test]
async fn one_that_is_pending_is_passed_over_while_others_are_ready() {
    let world = World::default();
    world.is("a", Is::Busy);
    let mut balance = world.balance(["a", "b"]);

    let keys = ask_times(&mut balance, 20).await;

    assert_eq!(keys, ["b"; 20]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_busy_is_not_asked_for_each_call() {
    let world = World::default();
    world.is("a", Is::Busy);
    let mut balance = world.balance(["a", "b"]);

    ask_times(&mut balance, 1000).await;
    assert!(world.asked("a") <= 2, "{}", world.asked("a"));
    world.is("a", Is::Ready);
    tokio::time::sleep(SECOND).await;
    ask_times(&mut balance, 10).await;

    assert!(world.calls("a") > 0);
}

#[tokio::test]
async fn whoever_waits_is_woken_by_the_first_that_is_ready() {
    let world = World::default();
    for key in ["a", "b"] {
        world.is(key, Is::Busy);
    }
    let mut balance = task::spawn(world.balance(["a", "b"]));
    assert_pending!(poll_ready(&mut balance));

    world.is("b", Is::Ready);

    assert!(balance.is_woken());
    assert_ready_ok!(poll_ready(&mut balance));
    assert_eq!(balance.call(0).await.unwrap(), "b");
}

#[tokio::test]
async fn asked_twice_it_reserves_once() {
    let slots = Arc::new(Semaphore::new(2));
    let world = World::default();
    let maker = world.maker();
    let held = Arc::clone(&slots);
    let limited = move |key| ConcurrencyLimit::with_semaphore(maker(key), Arc::clone(&held));
    let mut balance = task::spawn(BalanceLayer::new(["a"]).layer(limited));

    assert_ready_ok!(poll_ready(&mut balance));
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(slots.available_permits(), 1);
}

#[tokio::test]
async fn dropped_while_ready_it_gives_back_what_was_reserved() {
    let slots = Arc::new(Semaphore::new(1));
    let world = World::default();
    let maker = world.maker();
    let held = Arc::clone(&slots);
    let limited = move |key| ConcurrencyLimit::with_semaphore(maker(key), Arc::clone(&held));
    let balance = BalanceLayer::new(["a"]).layer(limited);
    let mut ready = task::spawn(balance.clone());
    assert_ready_ok!(poll_ready(&mut ready));
    assert_eq!(slots.available_permits(), 0);

    drop(ready);

    assert_eq!(slots.available_permits(), 1);
}

#[tokio::test]
async fn a_dropped_call_gives_back_what_it_held() {
    let slots = Arc::new(Semaphore::new(1));
    let world = World::default();
    world.act("a", Act::Hang);
    let maker = world.maker();
    let held = Arc::clone(&slots);
    let limited = move |key| ConcurrencyLimit::with_semaphore(maker(key), Arc::clone(&held));
    let mut balance = task::spawn(BalanceLayer::new(["a"]).layer(limited));
    assert_ready_ok!(poll_ready(&mut balance));
    let call = task::spawn(balance.call(0));
    assert_eq!(slots.available_permits(), 0);
    assert_eq!(balance.snapshot().in_flight, 1);

    drop(call);

    assert_eq!(slots.available_permits(), 1);
    assert_eq!(balance.snapshot().in_flight, 0);
}

#[tokio::test]
async fn places_in_other_lines_are_given_up_once_one_is_ready() {
    let slots = Arc::new(Semaphore::new(0));
    let world = World::default();
    let maker = world.maker();
    let held = Arc::clone(&slots);
    let free = Arc::new(Semaphore::new(0));
    let other = Arc::clone(&free);
    let limited = move |key| {
        let slots = if key == "a" { &held } else { &other };
        ConcurrencyLimit::with_semaphore(maker(key), Arc::clone(slots))
    };
    let mut balance = task::spawn(BalanceLayer::new(["a", "b"]).layer(limited));
    assert_pending!(poll_ready(&mut balance));

    free.add_permits(1);
    assert_ready_ok!(poll_ready(&mut balance));
    slots.add_permits(1);

    assert_eq!(slots.available_permits(), 1, "nobody waits for it any more");
}

#[tokio::test]
async fn a_backend_that_is_not_ready_any_more_is_not_called() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = task::spawn(layer.layer(world.maker()));
    assert_ready_ok!(poll_ready(&mut balance));

    world.is("a", Is::Busy);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "b");
    assert_eq!(world.calls("a"), 0);
}

/// A waiter has a place in the line of each backend, and newcomers do not overtake it.
#[tokio::test(start_paused = true)]
async fn waiting_clones_do_not_starve() {
    let world = World::default();
    for key in ["a", "b"] {
        world.act(key, Act::After(common::MILLISECOND));
    }
    let maker = world.maker();
    let limited = move |key| ConcurrencyLimit::new(maker(key), 2);
    let balance = BalanceLayer::new(["a", "b"]).layer(limited);
    // Many come at once, and as many come again whenever they are served: 4 in a millisecond.
    let mut clients = JoinSet::new();
    for _ in 0..40 {
        let mut balance = balance.clone();
        clients.spawn(async move {
            let mut longest = std::time::Duration::ZERO;
            for _ in 0..50 {
                let since = tokio::time::Instant::now();
                let mut polls = 0;
                let ready = poll_fn(|cx| {
                    polls += 1;
                    assert!(polls < 1000, "it is woken again and again for nothing");
                    balance.poll_ready(cx)
                });
                ready.await.unwrap();
                balance.call(0).await.unwrap();
                longest = longest.max(since.elapsed());
            }
            longest
        });
    }

    while let Some(longest) = clients.join_next().await {
        // 40 waiters for 4 places of a millisecond each: 10 ms in turn.
        let longest = longest.unwrap();
        assert!(longest <= 3 * 10 * common::MILLISECOND, "{longest:?}");
    }
}

#[tokio::test]
async fn a_clone_has_a_readiness_of_its_own() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).policy(RoundRobin::new());
    let mut one = layer.layer(world.maker());
    one.ready().await.unwrap();
    let mut two = one.clone();

    assert_eq!(ask(&mut two).await.unwrap(), "b");
    assert_eq!(one.call(0).await.unwrap(), "a");
}

#[tokio::test]
#[should_panic(expected = "called without being ready")]
async fn a_clone_is_not_ready_by_its_original() {
    let mut one = World::default().balance(["a"]);
    one.ready().await.unwrap();

    drop(one.clone().call(0));
}

/// More than can be waited for at once.
#[tokio::test(start_paused = true)]
async fn one_that_becomes_ready_among_many_that_are_not_is_found() {
    let world = World::default();
    let keys = many(300);
    keys.iter().for_each(|key| world.is(key, Is::Busy));
    let layer = BalanceLayer::new(keys.clone()).patience(60 * SECOND);
    let mut balance = layer.layer(world.maker());
    let call = tokio::spawn(async move { ask(&mut balance).await.unwrap() });
    settle().await;

    world.is(keys[217], Is::Ready);

    assert_eq!(call.await.unwrap(), "217");
}

/// As tokio's channels and semaphores do, it is not ready for a task that has used its turn up.
#[derive(Clone, Debug)]
struct Cooperative(Backend);

impl Service<u32> for Cooperative {
    type Response = common::Key;
    type Error = common::Failed;
    type Future = <Backend as Service<u32>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let turn = std::task::ready!(coop::poll_proceed(cx));
        turn.made_progress();
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.0.call(request)
    }
}

/// A task that has done much in one turn is told by tokio's types that they are not ready, and is
/// woken at once: that used to count as a busy backend, and to end all patience.
#[tokio::test]
async fn many_calls_in_one_turn_of_a_task_find_no_backend_busy() {
    let world = World::default();
    let maker = world.maker();
    let layer = BalanceLayer::new(["a", "b"]).patience(std::time::Duration::ZERO);
    let mut balance = layer
        .policy(PickFirst::default())
        .layer(move |key| Cooperative(maker(key)));

    for _ in 0..1000 {
        assert_eq!(ask(&mut balance).await.unwrap(), "a");
        assert_eq!(balance.snapshot().ready, 2);
    }
}

/// Nor is it passed over by others.
#[tokio::test]
async fn a_task_that_has_used_its_turn_up_tells_nothing_of_a_backend() {
    let world = World::default();
    let maker = world.maker();
    let layer = BalanceLayer::new(["a"]);
    let mut balance = task::spawn(layer.layer(move |key| Cooperative(maker(key))));
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(turn) = coop::poll_proceed(&mut cx) {
        turn.made_progress();
    }

    assert_pending!(poll_ready(&mut balance));

    assert_eq!(balance.snapshot().ready, 1);
    tokio::task::yield_now().await;
    assert!(balance.is_woken());
    assert_ready_ok!(poll_ready(&mut balance));
}

fn many(keys: usize) -> Vec<common::Key> {
    let keys = 0..keys;
    keys.map(|n| &*Box::leak(format!("{n}").into_boxed_str()))
        .collect()
}

/// Whoever waits for many used to give up its oldest places for new ones, and never came first.
#[tokio::test(start_paused = true)]
async fn places_in_line_are_kept_among_many() {
    let world = World::default();
    let keys = many(200);
    keys.iter().for_each(|key| world.is(key, Is::Busy));
    let layer = BalanceLayer::new(keys.clone()).patience(60 * SECOND);
    let mut balance = task::spawn(layer.layer(world.maker()));
    let waits = || {
        let held = keys.iter().filter(|key| world.services(key) > 1);
        held.copied().collect::<std::collections::BTreeSet<_>>()
    };
    assert_pending!(poll_ready(&mut balance));
    let first = waits();
    assert_eq!(first.len(), 64);

    for _ in 0..50 {
        tokio::time::sleep(100 * common::MILLISECOND).await;
        assert_pending!(poll_ready(&mut balance));
    }

    assert_eq!(waits(), first);
    let asked = keys.iter().map(|key| world.asked(key));
    assert!(asked.min().unwrap() > 1, "the others are asked, too");
}

/// A thousand that fail for good used to be published one by one, all in one turn of a task.
#[tokio::test(start_paused = true)]
async fn a_set_that_falls_apart_is_looked_at_in_several_turns() {
    let world = World::default();
    let keys = many(1000);
    keys.iter().for_each(|key| world.is(key, Is::Gone));
    let mut balance = task::spawn(BalanceLayer::new(keys.clone()).layer(world.maker()));

    let asked = || keys.iter().map(|key| world.asked(key)).sum::<usize>();
    let mut before = 0;
    let mut turns = 0;
    while balance.snapshot().gone < 1000 {
        assert_pending!(poll_ready(&mut balance));
        assert!(asked() - before <= 65, "{}", asked() - before);
        before = asked();
        turns += 1;
        assert!(turns <= 16);
        assert!(balance.is_woken() || balance.snapshot().gone == 1000);
    }

    assert_eq!(asked(), 1000, "each once");
}

/// It used to be taken if it became ready, since it had been asked before.
#[tokio::test]
async fn one_that_has_lost_its_weight_is_not_waited_for_any_more() {
    let world = World::default();
    for key in ["a", "b"] {
        world.is(key, Is::Busy);
    }
    let mut balance = task::spawn(world.balance(["a", "b"]));
    assert_pending!(poll_ready(&mut balance));

    balance.set_weight(&"a", 0);
    world.is("a", Is::Ready);
    assert_pending!(poll_ready(&mut balance));
    world.is("b", Is::Ready);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "b");
}

/// Somebody asked, went away, and comes back long after patience has ended: that is a new wait.
#[tokio::test(start_paused = true)]
async fn whoever_comes_back_late_has_patience_again() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(SECOND);
    let mut balance = task::spawn(layer.layer(world.maker()));
    assert_pending!(poll_ready(&mut balance));

    tokio::time::sleep(60 * SECOND).await;
    assert_pending!(poll_ready(&mut balance));
    tokio::time::sleep(SECOND / 2).await;
    world.is("a", Is::Ready);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_in_vain_and_asks_again_is_told_what_holds_now() {
    let world = World::default();
    world.is("a", Is::Busy);
    let layer = BalanceLayer::new(["a"]).patience(SECOND);
    let mut balance = layer.layer(world.maker());
    balance.ready().await.unwrap();

    // Still in vain, and no second wait.
    let mut balance = task::spawn(balance);
    assert_ready_ok!(poll_ready(&mut balance));
    world.is("a", Is::Ready);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "a");
}

//! How backends come, change and go.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{
    Act, Backend, Is, Key, SECOND, World, ask, ask_times, count, discovery, poll_ready, settle,
};
use proptest::prelude::*;
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::discover::{Change, ServiceList};
use tower::{Layer, Service, ServiceExt};
use wt_balance::{Balance, BalanceLayer, PickFirst, RoundRobin};

fn keys<S, P>(balance: &Balance<Key, S, P>) -> Vec<Key> {
    let backends = balance.snapshot().backends.into_iter();
    backends.map(|backend| backend.key).collect()
}

#[tokio::test]
async fn a_list_can_be_changed() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b", "a"]);
    let balance = layer.layer(world.maker());
    let targets = layer.targets();
    assert_eq!(keys(&balance), ["a", "b"], "duplicates collapse");

    assert!(targets.insert("c"));
    assert!(!targets.insert("a"));
    assert_eq!(keys(&balance), ["a", "b", "c"]);
    assert!(targets.remove(&"b"));
    assert!(!targets.remove(&"b"));
    assert_eq!(keys(&balance), ["a", "c"]);
    targets.replace(["d", "c", "d"]);
    assert_eq!(keys(&balance), ["c", "d"]);
    assert_eq!(keys(&layer.layer(world.maker())), ["d", "c"]);
}

#[tokio::test]
async fn a_target_that_stays_keeps_its_figures_and_its_service() {
    let world = World::default();
    let made = Arc::new(AtomicUsize::new(0));
    let layer = BalanceLayer::new(["a", "b"]);
    let (count, maker) = (Arc::clone(&made), world.maker());
    let mut balance = layer.layer(move |key| {
        count.fetch_add(1, Ordering::Relaxed);
        maker(key)
    });
    ask_times(&mut balance, 10).await;
    let before: u64 = balance.snapshot().calls;

    layer.targets().replace(["b", "a", "c"]);

    assert_eq!(balance.snapshot().calls, before);
    assert_eq!(made.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_stream_of_changes_is_followed() {
    let world = World::default();
    let (changes, stream) = discovery();
    let balance = Balance::new(stream);

    for key in ["a", "b"] {
        let insert = Change::Insert(key, world.backend(key));
        changes.send(Ok(insert)).await.unwrap();
    }
    settle().await;
    assert_eq!(keys(&balance), ["a", "b"]);
    changes.send(Ok(Change::Remove("a"))).await.unwrap();
    settle().await;

    assert_eq!(keys(&balance), ["b"]);
    assert_eq!(ask(&mut balance.clone()).await.unwrap(), "b");
}

#[tokio::test]
async fn tower_s_list_is_discovery_too() {
    let world = World::default();
    let services = ServiceList::new::<u32>([world.backend("a"), world.backend("b")]);
    let mut balance = Balance::new(services);

    let keys = ask_times(&mut balance, 20).await;

    assert!(count(&keys, "a") > 0 && count(&keys, "b") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_is_asked_again() {
    let world = World::default();
    let (changes, stream) = discovery();
    let mut balance = Balance::new(stream);

    changes.send(Err("no answer".into())).await.unwrap();
    let insert = Change::Insert("a", world.backend("a"));
    changes.send(Ok(insert)).await.unwrap();

    assert_eq!(ask(&mut balance).await.unwrap(), "a");
}

#[tokio::test]
async fn a_backend_that_is_changed_keeps_its_figures() {
    let old = World::default();
    let new = World::default();
    let (changes, stream) = discovery();
    let mut balance = Balance::new(stream);
    let insert = Change::Insert("a", old.backend("a"));
    changes.send(Ok(insert)).await.unwrap();
    ask_times(&mut balance, 5).await;
    balance.set_weight(&"a", 7);

    let insert = Change::Insert("a", new.backend("a"));
    changes.send(Ok(insert)).await.unwrap();
    settle().await;
    ask_times(&mut balance, 2).await;

    let backend = &balance.snapshot().backends[0];
    assert_eq!((backend.calls, backend.weight), (7, 7));
    assert_eq!((old.calls("a"), new.calls("a")), (5, 2));
    assert_eq!(old.services("a"), 0, "it is let go");
}

#[tokio::test(start_paused = true)]
async fn a_removed_backend_finishes_what_it_has_and_is_dropped() {
    let world = World::default();
    world.act("a", Act::After(SECOND));
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let balance = layer.layer(world.maker());
    let call = tokio::spawn(ask_once(balance.clone()));
    settle().await;

    layer.targets().remove(&"a");
    assert_eq!(world.services("a"), 0, "nothing but the call is left of it");
    assert_eq!(balance.snapshot().in_flight, 1);

    assert_eq!(call.await.unwrap(), "a");
    assert_eq!(balance.snapshot().in_flight, 0);
}

async fn ask_once(mut balance: Balance<Key, Backend, PickFirst>) -> Key {
    ask(&mut balance).await.unwrap()
}

/// It was ready, and has been removed before it was called.
#[tokio::test]
async fn no_call_goes_to_a_backend_that_was_removed_after_the_pick() {
    let world = World::default();
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = layer.layer(world.maker());
    balance.ready().await.unwrap();

    layer.targets().remove(&"a");

    assert_eq!(balance.call(0).await.unwrap(), "b");
    assert_eq!(world.calls("a"), 0);
}

#[tokio::test]
async fn nor_is_it_waited_for() {
    let world = World::default();
    for key in ["a", "b"] {
        world.is(key, Is::Busy);
    }
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = task::spawn(layer.layer(world.maker()));
    assert_pending!(poll_ready(&mut balance));

    layer.targets().remove(&"a");
    assert!(balance.is_woken(), "the set has changed");
    assert_pending!(poll_ready(&mut balance));
    world.is("a", Is::Ready);
    assert_pending!(poll_ready(&mut balance));
    assert_eq!(world.services("a"), 0);
    world.is("b", Is::Ready);
    assert_ready_ok!(poll_ready(&mut balance));

    assert_eq!(balance.call(0).await.unwrap(), "b");
}

#[tokio::test]
async fn the_last_handle_ends_the_driver() {
    let world = World::default();
    let (changes, stream) = discovery::<Backend>();
    let balance = Balance::new(stream);
    let other = balance.clone().policy(RoundRobin::new());
    let insert = Change::Insert("a", world.backend("a"));
    changes.send(Ok(insert)).await.unwrap();
    settle().await;

    drop(balance);
    settle().await;
    assert!(!changes.is_closed());
    drop(other);
    settle().await;

    assert!(changes.is_closed(), "the stream is dropped");
    assert_eq!(world.services("a"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_outlasts_the_last_handle() {
    let world = World::default();
    world.act("a", Act::After(SECOND));
    let mut balance = world.balance(["a"]);
    let call = balance.ready().await.unwrap().call(0);

    drop(balance);

    assert_eq!(call.await.unwrap(), "a");
}

/// After the end, nobody makes a service.
#[tokio::test(start_paused = true)]
async fn nothing_is_made_after_a_shutdown() {
    let world = World::default();
    let (made, maker) = (Arc::new(AtomicUsize::new(0)), world.maker());
    let count = Arc::clone(&made);
    let layer = BalanceLayer::new(["a", "b"]).policy(PickFirst::default());
    let mut balance = layer.layer(move |key| {
        count.fetch_add(1, Ordering::Relaxed);
        maker(key)
    });
    world.is("a", Is::Gone);
    ask(&mut balance).await.unwrap();

    assert_eq!(balance.shutdown(SECOND).await, 0);
    layer.targets().insert("c");
    sleep(60 * SECOND).await;

    assert_eq!(made.load(Ordering::Relaxed), 2);
}

/// A list that has been changed again while it is followed is not followed to its end: what the
/// change brought would be dropped, and be made again.
#[tokio::test]
async fn a_list_that_is_overtaken_undoes_nothing() {
    let world = World::default();
    let layer = BalanceLayer::new(["a"]);
    let targets = layer.targets();
    let (made, maker) = (Arc::new(std::sync::Mutex::new(Vec::new())), world.maker());
    let log = Arc::clone(&made);
    let balance = layer.layer(move |key| {
        let first = {
            let mut log = log.lock().unwrap();
            log.push(key);
            log.len() == 2
        };
        if first {
            // While "b" is made.
            targets.insert("c");
        }
        maker(key)
    });

    layer.targets().insert("b");

    assert_eq!(keys(&balance).len(), 3);
    let made = made.lock().unwrap();
    assert_eq!(count(&made, "c"), 1, "{made:?}");
}

/// Lists are changed by several threads at once: the balancers end with what the list ends with.
#[test]
fn changes_of_several_threads_are_not_lost() {
    const ALL: [Key; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];
    for _ in 0..100 {
        let layer = BalanceLayer::new(["x"]);
        let balance = layer.layer(World::default().maker());
        std::thread::scope(|scope| {
            for half in ALL.chunks(4) {
                let targets = layer.targets();
                scope.spawn(move || {
                    for key in half {
                        targets.insert(key);
                        targets.remove(key);
                        targets.insert(key);
                    }
                });
            }
        });

        let known: BTreeSet<_> = keys(&balance).into_iter().collect();
        assert_eq!(known.len(), 9);
    }
}

proptest! {
    #[test]
    fn changes_end_with_the_set_that_they_describe(
        changes in prop::collection::vec((0..6_usize, any::<bool>()), 0..60),
        settled in prop::collection::vec(any::<bool>(), 60),
    ) {
        const ALL: [Key; 6] = ["0", "1", "2", "3", "4", "5"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (known, expected) = runtime.block_on(async {
            let world = World::default();
            let (sender, stream) = discovery();
            let balance = Balance::new(stream);
            let mut expected = BTreeSet::new();
            for ((key, insert), settled) in changes.into_iter().zip(settled) {
                let key = ALL[key];
                let change = if insert {
                    expected.insert(key);
                    Change::Insert(key, world.backend(key))
                } else {
                    expected.remove(key);
                    Change::Remove(key)
                };
                sender.send(Ok(change)).await.unwrap();
                if settled {
                    settle().await;
                }
            }
            settle().await;
            for key in ALL {
                assert_eq!(world.services(key), usize::from(expected.contains(key)));
            }
            (keys(&balance).into_iter().collect::<BTreeSet<_>>(), expected)
        });

        prop_assert_eq!(known, expected);
    }
}

//! Priorities, subsets, and what happens if most backends fail.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::BTreeSet;

use common::{Act, Is, Key, MILLISECOND, SECOND, World, ask, ask_times, count, settle, traffic};
use proptest::prelude::*;
use tokio::time::sleep;
use tower::Layer;
use wt_balance::{Adaptive, Balance, BalanceLayer, LeastRequests, PickFirst, Policy, RoundRobin};

const NEAR: [Key; 5] = ["n0", "n1", "n2", "n3", "n4"];
const ALL: [Key; 7] = ["f0", "n0", "n1", "n2", "n3", "n4", "f1"];

fn far(key: &Key) -> u8 {
    u8::from(key.starts_with('f'))
}

/// So many calls, a few at each census; how many went far.
async fn far_of(balance: &mut Balance<Key, common::Backend, RoundRobin>, calls: usize) -> usize {
    let mut all = Vec::new();
    for _ in 0..calls / 10 {
        all.extend(ask_times(balance, 10).await);
        sleep(11 * MILLISECOND).await;
    }
    all.iter().filter(|key| far(key) == 1).count()
}

#[tokio::test(start_paused = true)]
async fn the_first_priority_takes_all_while_it_can() {
    let world = World::default();
    let layer = BalanceLayer::new(ALL)
        .priority(far)
        .policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());

    assert_eq!(far_of(&mut balance, 500).await, 0);
    // Five of seven sound ones are enough: four of five here.
    world.is("n0", Is::Busy);
    assert_eq!(far_of(&mut balance, 500).await, 0);
}

#[tokio::test(start_paused = true)]
async fn it_overflows_in_proportion_and_not_a_call_is_lost() {
    let world = World::default();
    let layer = BalanceLayer::new(ALL)
        .priority(far)
        .policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());
    for key in ["n0", "n1", "n2"] {
        world.is(key, Is::Busy);
    }
    far_of(&mut balance, 100).await;

    // Two of five, times 1.4: 56 % are taken, 44 % overflow.
    let far = far_of(&mut balance, 2000).await;
    assert!((730..1030).contains(&far), "{far}");
    for key in ["n3", "n4"] {
        world.is(key, Is::Busy);
    }
    assert_eq!(far_of(&mut balance, 100).await, 100);
    NEAR.iter().for_each(|key| world.is(key, Is::Ready));
    sleep(SECOND).await;
    far_of(&mut balance, 200).await;

    assert_eq!(far_of(&mut balance, 500).await, 0);
}

/// Those that are near fail, and rest for long.
fn without_near(world: &World) -> BalanceLayer<Key, RoundRobin> {
    NEAR.iter().for_each(|key| world.act(key, Act::Fail));
    BalanceLayer::new(ALL)
        .priority(far)
        .policy(RoundRobin::new())
        .rest(3600 * SECOND)
}

/// After so many calls that it knows that.
async fn known_to_fail(
    layer: &BalanceLayer<Key, RoundRobin>,
    world: &World,
) -> Balance<Key, common::Backend, RoundRobin> {
    let mut balance = layer.layer(world.maker());
    for _ in 0..1000 {
        let _ = ask(&mut balance).await;
        sleep(MILLISECOND).await;
    }
    balance
}

#[tokio::test(start_paused = true)]
async fn backends_that_fail_overflow_too() {
    let world = World::default();
    let layer = without_near(&world);
    let mut balance = known_to_fail(&layer, &world).await;

    assert_eq!(far_of(&mut balance, 500).await, 500);
}

/// By the defaults, they rest for seconds, and are tried at the end of that.
#[tokio::test(start_paused = true)]
async fn some_that_fail_overflow_in_proportion_as_long_as_they_do() {
    let world = World::default();
    ALL.iter()
        .for_each(|key| world.act(key, Act::After(MILLISECOND)));
    NEAR[..3].iter().for_each(|key| world.act(key, Act::Fail));
    let balance = BalanceLayer::new(ALL).priority(far).layer(world.maker());
    let far = || world.calls("f0") + world.calls("f1");
    traffic(&balance, 4, 10 * SECOND).await;

    let before = far();
    let (good, bad) = traffic(&balance, 4, 10 * SECOND).await;
    assert!(bad <= 3 * 5, "{bad} of {good}");
    // Two of five, times 1.4: 44 % overflow.
    let share = (far() - before) as f64 / good as f64;
    assert!((0.4..0.48).contains(&share), "{share}");

    NEAR.iter()
        .for_each(|key| world.act(key, Act::After(MILLISECOND)));
    traffic(&balance, 4, 5 * SECOND).await;
    let before = far();
    traffic(&balance, 4, 5 * SECOND).await;
    assert_eq!(far(), before);
}

#[tokio::test(start_paused = true)]
async fn without_a_backend_anywhere_the_first_priority_is_as_good_as_any() {
    let world = World::default();
    ALL.iter().for_each(|key| world.act(key, Act::Fail));
    let layer = BalanceLayer::new(ALL)
        .priority(far)
        .policy(RoundRobin::new());
    let balance = layer.layer(world.maker());
    // Until all are known to fail.
    let mut in_turn = balance.clone();
    for _ in 0..500 {
        let _ = ask(&mut in_turn).await;
        sleep(MILLISECOND).await;
    }
    assert_eq!(balance.snapshot().failing, ALL.len());
    let before = world.calls("f0") + world.calls("f1");
    for _ in 0..100 {
        assert!(ask(&mut balance.clone()).await.is_err());
        sleep(MILLISECOND).await;
    }

    assert_eq!(world.calls("f0") + world.calls("f1"), before);
}

/// A change of the set used to send all calls to the first priority until the next look at it.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_set_does_not_undo_the_overflow() {
    let world = World::default();
    let layer = without_near(&world);
    let mut balance = known_to_fail(&layer, &world).await;
    assert_eq!(far_of(&mut balance, 100).await, 100);

    for _ in 0..20 {
        layer.targets().insert("f2");
        layer.targets().remove(&"f2");
        let key = ask(&mut balance.clone()).await.unwrap();
        assert_eq!(far(&key), 1);
    }
}

/// Turns in one priority used to begin anew with each call to another; or were shared, where the
/// numbers of both left the same remainder.
#[tokio::test(start_paused = true)]
async fn each_priority_has_turns_of_its_own() {
    for second in [1, 8] {
        let world = World::default();
        let layer = BalanceLayer::new(ALL)
            .priority(move |key| second * far(key))
            .policy(RoundRobin::new());
        let mut balance = layer.layer(world.maker());
        for key in ["n0", "n1", "n2"] {
            world.is(key, Is::Busy);
        }

        far_of(&mut balance, 2000).await;

        assert!(world.calls("n3").abs_diff(world.calls("n4")) <= 1);
        assert!(world.calls("f0").abs_diff(world.calls("f1")) <= 1);
    }
}

/// Calls by an instance that knows nothing, as each of many clients would make them.
async fn tries<P: Policy<u32> + Clone>(balance: &Balance<Key, common::Backend, P>, calls: usize) {
    for _ in 0..calls {
        let _ = ask(&mut balance.clone()).await;
        sleep(MILLISECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn below_the_panic_threshold_failures_are_ignored() {
    async fn on_failing<P: Policy<u32> + Clone>(policy: P, threshold: f64) -> usize {
        let world = World::default();
        // Three of five fail, and are known to.
        for key in NEAR {
            world.act(key, Act::After(MILLISECOND));
        }
        for key in &NEAR[..3] {
            world.act(key, Act::Fail);
        }
        let layer = BalanceLayer::new(NEAR)
            .policy(policy)
            .rest(3600 * SECOND)
            .panic_threshold(threshold);
        let balance = layer.layer(world.maker());
        let in_turn = balance.clone().policy(RoundRobin::new());
        tries(&in_turn, 200).await;
        let before: usize = NEAR[..3].iter().map(|key| world.calls(key)).sum();
        tries(&balance, 200).await;
        NEAR[..3].iter().map(|key| world.calls(key)).sum::<usize>() - before
    }

    // Off by default: those that work are used.
    assert!(on_failing(Adaptive::new(), 0.0).await <= 5);
    assert!(on_failing(LeastRequests::default(), 0.0).await <= 5);
    assert_eq!(on_failing(PickFirst::default(), 0.0).await, 0);
    // Two of five are less than half: all are used alike, which keeps half of them at least.
    assert!(on_failing(Adaptive::new(), 0.5).await >= 60);
    assert!(on_failing(LeastRequests::default(), 0.5).await >= 60);
    assert_eq!(on_failing(PickFirst::default(), 0.5).await, 200);
    // Two of five are more than a third.
    assert!(on_failing(Adaptive::new(), 0.33).await <= 5);
}

/// By the defaults of everything else, also of those whose rest is over now and then.
#[tokio::test(start_paused = true)]
async fn with_a_panic_threshold_those_that_fail_are_used_while_they_are_most() {
    let world = World::default();
    NEAR.iter()
        .for_each(|key| world.act(key, Act::After(MILLISECOND)));
    NEAR[..3].iter().for_each(|key| world.act(key, Act::Fail));
    let layer = BalanceLayer::new(NEAR).panic_threshold(0.5);
    let balance = layer.layer(world.maker());
    traffic(&balance, 4, SECOND).await;
    let (good, bad) = traffic(&balance, 4, 10 * SECOND).await;
    let share = bad as f64 / (good + bad) as f64;
    assert!(share > 0.3, "{share}");

    world.act("n0", Act::After(MILLISECOND));
    traffic(&balance, 4, 5 * SECOND).await;
    let (good, bad) = traffic(&balance, 4, 10 * SECOND).await;

    assert!(bad <= 2 * 10, "{bad} of {good}");
}

#[test]
#[should_panic(expected = "a share is from 0 to 1")]
fn a_threshold_is_a_share() {
    let _ = BalanceLayer::new(["a"]).panic_threshold(f64::NAN);
}

fn used<S, P>(balance: &Balance<Key, S, P>) -> BTreeSet<Key> {
    let backends = balance.snapshot().backends.into_iter();
    let used = backends.filter(|backend| backend.used);
    used.map(|backend| backend.key).collect()
}

#[tokio::test]
async fn a_subset_is_all_that_a_client_uses() {
    let world = World::default();
    let layer = BalanceLayer::new(ALL)
        .subset(3, 42)
        .policy(RoundRobin::new());
    let mut balance = layer.layer(world.maker());

    let picked: BTreeSet<_> = ask_times(&mut balance, 100).await.into_iter().collect();

    assert_eq!(picked.len(), 3);
    assert_eq!(picked, used(&balance));
    assert_eq!(
        used(&layer.layer(world.maker())),
        picked,
        "the same each time"
    );
    settle().await;
}

#[test]
fn clients_have_different_subsets_and_backends_as_many_clients() {
    let mut clients = std::collections::HashMap::<Key, usize>::new();
    for client in 0..1000 {
        let layer = BalanceLayer::new(ALL).subset(3, client);
        for key in used(&layer.layer(World::default().maker())) {
            *clients.entry(key).or_default() += 1;
        }
    }

    // 429 of 1,000 each, give or take four times the standard deviation.
    assert!(
        clients.values().all(|n| (366..492).contains(n)),
        "{clients:?}"
    );
}

#[test]
fn each_priority_has_a_subset_of_its_own() {
    let layer = BalanceLayer::new(ALL).priority(far).subset(1, 7);

    let used = used(&layer.layer(World::default().maker()));

    assert_eq!(used.len(), 2);
    assert_eq!(used.iter().filter(|key| far(key) == 1).count(), 1);
}

#[test]
fn a_backend_that_is_gone_is_replaced_in_the_subset() {
    let world = World::default();
    let layer = BalanceLayer::new(ALL).subset(3, 42);
    let balance = layer.layer(world.maker());
    let before = used(&balance);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();

    let first = *before.iter().next().unwrap();
    world.is(first, Is::Gone);
    let keys = runtime.block_on(ask_times(&mut balance.clone(), 50));

    assert_eq!(count(&keys, first), 0);
    assert_eq!(used(&balance).len(), 3);
}

proptest! {
    #[test]
    fn a_change_changes_one_place_at_most(
        client in any::<u64>(),
        size in 1..6_usize,
        changes in prop::collection::vec(0..20_usize, 1..30),
    ) {
        const MANY: [Key; 20] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15",
            "16", "17", "18", "19",
        ];
        let layer = BalanceLayer::new(MANY[..10].iter().copied()).subset(size, client);
        let balance = layer.layer(World::default().maker());
        let targets = layer.targets();
        let mut before = used(&balance);
        for change in changes {
            if !targets.remove(&MANY[change]) {
                targets.insert(MANY[change]);
            }
            let after = used(&balance);
            prop_assert_eq!(after.len(), size.min(balance.snapshot().known));
            prop_assert!(after.difference(&before).count() <= 1);
            prop_assert!(before.difference(&after).count() <= 1);
            before = after;
        }
    }
}

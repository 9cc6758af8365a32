//! Who fails is left alone for a while, and who is back is used again soon, by the defaults.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use common::{Act, Backend, Failed, Is, Key, MILLISECOND, SECOND, World, ask, ask_times, traffic};
use tokio::time::{Instant, sleep};
use tower::timeout::Timeout;
use tower::{Layer, ServiceExt, service_fn};
use wt_balance::{
    Adaptive, Balance, BalanceLayer, LeastLatency, LeastRequests, Outcome, PickFirst, Policy,
    Random, Ring, RoundRobin, Weighted,
};

const KEYS: [Key; 4] = ["a", "b", "c", "d"];

type Timed = Balance<Key, Timeout<Backend>>;

fn with_timeouts(world: &World, keys: impl IntoIterator<Item = Key>) -> Timed {
    let maker = world.maker();
    BalanceLayer::new(keys).layer(move |key| Timeout::new(maker(key), SECOND))
}

fn all(world: &World, act: Act) {
    KEYS.iter().for_each(|key| world.act(key, act));
}

/// How long it takes until the backend has so many calls more.
async fn used_again(world: &World, balance: &Timed, key: Key, calls: usize) -> Duration {
    let (since, before) = (Instant::now(), world.calls(key));
    while world.calls(key) < before + calls {
        traffic(balance, 4, 10 * MILLISECOND).await;
        assert!(since.elapsed() < 300 * SECOND, "it is not used again");
    }
    since.elapsed()
}

/// Its failures used to count as slow answers and as failures, for 145 seconds after the last one.
#[tokio::test(start_paused = true)]
async fn one_that_swallowed_calls_is_used_again_soon_after_it_is_back() {
    let world = World::default();
    all(&world, Act::After(MILLISECOND));
    let balance = with_timeouts(&world, KEYS);
    traffic(&balance, 4, 5 * SECOND).await;
    for down in [SECOND, 3 * SECOND, 40 * SECOND] {
        world.act("c", Act::Hang);
        traffic(&balance, 4, down).await;

        world.act("c", Act::After(MILLISECOND));
        // A rest, and a call that hangs still.
        let first = used_again(&world, &balance, "c", 1).await;
        assert!(first <= 5 * SECOND, "{first:?} after {down:?}");
        sleep(SECOND).await;
        let before = world.calls("c");
        let (good, bad) = traffic(&balance, 4, SECOND).await;

        let share = (world.calls("c") - before) as f64 / (good + bad) as f64;
        assert!(share > 0.15, "{share} after {down:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_refused_calls_is_used_again_soon_after_it_is_back() {
    let world = World::default();
    all(&world, Act::After(MILLISECOND));
    let balance = with_timeouts(&world, KEYS);
    for down in [SECOND / 10, SECOND, 30 * SECOND] {
        world.act("c", Act::Fail);
        traffic(&balance, 4, down).await;

        world.act("c", Act::After(MILLISECOND));
        let used = used_again(&world, &balance, "c", 100).await;

        assert!(used <= 5 * SECOND, "{used:?} after {down:?}");
    }
}

/// It is `Pending` while it is away, and asked now and then: that costs nothing.
#[tokio::test(start_paused = true)]
async fn one_that_was_away_is_used_again_at_once() {
    let world = World::default();
    all(&world, Act::After(MILLISECOND));
    let balance = with_timeouts(&world, KEYS);
    traffic(&balance, 4, SECOND).await;
    world.act("c", Act::Fail);
    traffic(&balance, 4, 100 * MILLISECOND).await;
    world.is("c", Is::Busy);
    let before = world.calls("c");
    traffic(&balance, 4, 60 * SECOND).await;
    assert_eq!(world.calls("c"), before);
    // And not all the time: ten times a second, or a few more if several ask at once.
    assert!(world.asked("c") < 60 * 40, "{}", world.asked("c"));

    world.act("c", Act::After(MILLISECOND));
    world.is("c", Is::Ready);
    let used = used_again(&world, &balance, "c", 20).await;

    assert!(used <= 200 * MILLISECOND, "{used:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_no_latency() {
    let world = World::default();
    world.act("a", Act::After(MILLISECOND));
    let mut balance = with_timeouts(&world, ["a"]);
    ask(&mut balance).await.unwrap();
    world.act("a", Act::FailAfter(20 * MILLISECOND));

    assert!(ask(&mut balance).await.is_err());

    let latency = balance.snapshot().backends[0].latency;
    assert!(latency.unwrap() <= MILLISECOND, "{latency:?}");
}

/// It is back while a call waits for it: how long that waited is not how long it takes.
#[tokio::test(start_paused = true)]
async fn the_call_that_finds_it_back_is_no_slow_one() {
    let world = World::default();
    all(&world, Act::After(MILLISECOND));
    let balance = with_timeouts(&world, KEYS);
    traffic(&balance, 4, SECOND).await;
    world.act("c", Act::Hang);
    traffic(&balance, 4, 2 * SECOND).await;
    world.act("c", Act::After(900 * MILLISECOND));
    let before = world.calls("c");
    while world.calls("c") == before {
        traffic(&balance, 4, MILLISECOND).await;
    }
    world.act("c", Act::After(MILLISECOND));

    traffic(&balance, 4, 2 * SECOND).await;
    let before = world.calls("c");
    let (good, _) = traffic(&balance, 4, SECOND).await;

    let share = (world.calls("c") - before) as f64 / good as f64;
    assert!(share > 0.15, "{share}");
}

/// One call at a time, though there are many who could make one.
#[tokio::test(start_paused = true)]
async fn one_that_is_down_costs_few_calls() {
    for act in [Act::Fail, Act::Hang] {
        let world = World::default();
        all(&world, Act::After(MILLISECOND));
        let balance = with_timeouts(&world, KEYS);
        traffic(&balance, 20, SECOND).await;
        world.act("c", act);
        let before = world.calls("c");
        traffic(&balance, 20, 3 * SECOND).await;
        let lost = world.calls("c") - before;
        assert!(lost <= 5 + 20 / 4, "{lost}, {act:?}");

        let before = world.calls("c");
        traffic(&balance, 20, 20 * SECOND).await;

        let tried = world.calls("c") - before;
        assert!((3..=7).contains(&tried), "{tried}, {act:?}");
    }
}

/// With all of them down, each is asked in turn: who is back first need not be who failed first.
#[tokio::test(start_paused = true)]
async fn the_first_that_is_back_serves_whoever_it_is() {
    for back in KEYS {
        let world = World::default();
        all(&world, Act::Fail);
        let mut balance = with_timeouts(&world, KEYS);
        let since = Instant::now();
        while since.elapsed() < 30 * SECOND {
            assert!(ask(&mut balance).await.is_err());
            sleep(10 * MILLISECOND).await;
        }

        world.act(back, Act::After(MILLISECOND));
        let mut failed = 0;
        while ask(&mut balance).await.is_err() {
            failed += 1;
            sleep(10 * MILLISECOND).await;
        }

        assert!(failed <= 12, "{failed} to {back}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_is_used_at_once() {
    let world = World::default();
    world.act("a", Act::Fail);
    let mut balance = with_timeouts(&world, ["a"]);
    for _ in 0..100 {
        assert!(ask(&mut balance).await.is_err());
    }

    world.act("a", Act::Answer);

    assert_eq!(ask(&mut balance).await.unwrap(), "a");
}

/// It has begun to refuse calls, and finishes those that it has.
#[tokio::test(start_paused = true)]
async fn calls_that_were_under_way_say_nothing_new() {
    let world = World::default();
    world.act("b", Act::After(MILLISECOND));
    let balance = with_timeouts(&world, ["a", "b"]).policy(RoundRobin::new());
    world.act("a", Act::After(500 * MILLISECOND));
    let mut under_way = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut balance = balance.clone();
        under_way.spawn(async move {
            sleep(n * MILLISECOND).await;
            ask(&mut balance).await
        });
    }
    sleep(110 * MILLISECOND).await;
    world.act("a", Act::Fail);
    let before = world.calls("a");

    traffic(&balance, 4, SECOND).await;

    let lost = world.calls("a") - before;
    assert!(lost <= 5, "{lost}");
}

/// The calls that it swallowed time out when it is back already: it used to rest for that, again.
#[tokio::test(start_paused = true)]
async fn calls_that_it_swallowed_before_it_was_back_say_nothing() {
    let world = World::default();
    all(&world, Act::After(MILLISECOND));
    let maker = world.maker();
    let layer = BalanceLayer::new(KEYS).policy(RoundRobin::new());
    let balance = layer.layer(move |key| Timeout::new(maker(key), 10 * SECOND));
    traffic(&balance, 4, SECOND).await;
    world.act("c", Act::Hang);
    let swallowed = balance.clone();
    let swallowed = tokio::spawn(async move { traffic(&swallowed, 4, 2 * SECOND).await });
    sleep(2 * SECOND).await;
    world.act("c", Act::After(MILLISECOND));

    for _ in 0..12 {
        let before = world.calls("c");
        let (good, bad) = traffic(&balance, 4, SECOND).await;
        let share = (world.calls("c") - before) as f64 / good as f64;
        assert!(share > 0.24 && bad == 0, "{share}, {bad}");
    }

    assert_eq!(swallowed.await.unwrap().1, 4);
    assert_eq!(balance.snapshot().failures, 4);
}

/// Each failure used to take its backend away for four seconds, and the others had the more to
/// fail: one had all calls in the end.
#[tokio::test(start_paused = true)]
async fn failures_that_are_slow_and_rare_do_not_leave_all_calls_to_one() {
    fastrand::seed(7);
    let begun: Arc<[AtomicUsize; 10]> = Arc::default();
    let served = Arc::clone(&begun);
    let balance = BalanceLayer::new(0..10_usize).layer(move |place: usize| {
        let served = Arc::clone(&served);
        service_fn(move |(): ()| {
            served[place].fetch_add(1, Ordering::Relaxed);
            let lost = fastrand::u32(..200) == 0;
            async move {
                sleep(if lost { SECOND } else { 10 * MILLISECOND }).await;
                if lost { Err(std::fmt::Error) } else { Ok(()) }
            }
        })
    });

    let mut busiest = 0;
    for _ in 0..200 {
        let count = |begun: &AtomicUsize| begun.swap(0, Ordering::Relaxed);
        for _ in 0..100 {
            tokio::spawn(balance.clone().oneshot(()));
            sleep(MILLISECOND).await;
        }
        busiest = busiest.max(begun.iter().map(count).max().unwrap());
    }

    assert!(busiest < 60, "{busiest} of 100");
}

/// What says nothing of it used to make its rests longer, as a failure does.
#[tokio::test(start_paused = true)]
async fn one_that_is_tried_in_vain_is_tried_again_as_soon() {
    let world = World::default();
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let classify = move |result: Result<&Key, &Failed>| match result {
        Err(_) if failing.load(Ordering::Relaxed) => Outcome::FAILURE,
        Err(_) => Outcome::Ignore,
        Ok(_) => Outcome::Success,
    };
    let layer = BalanceLayer::new(KEYS)
        .policy(RoundRobin::new())
        .classify(classify);
    let balance = layer.layer(world.maker());
    world.act("c", Act::Fail);
    traffic(&balance, 1, 10 * MILLISECOND).await;
    fails.store(false, Ordering::Relaxed);
    let before = world.calls("c");

    traffic(&balance, 4, 4 * SECOND).await;

    // Once in 16 ms or so.
    let tried = world.calls("c") - before;
    assert!((150..400).contains(&tried), "{tried}");
}

#[tokio::test(start_paused = true)]
async fn every_policy_leaves_alone_who_fails_and_comes_back() {
    async fn check<P: Policy<u32> + Clone + Send + Sync + 'static>(name: &str, policy: P) {
        let world = World::default();
        all(&world, Act::After(MILLISECOND));
        world.act("a", Act::Fail);
        let balance = BalanceLayer::new(KEYS).policy(policy).layer(world.maker());
        let (good, bad) = traffic(&balance, 4, 20 * SECOND).await;
        assert!(bad <= 15, "{name}: {bad} of {good}");

        world.act("a", Act::After(MILLISECOND));
        traffic(&balance, 4, 5 * SECOND).await;
        let before = world.calls("a");
        let (good, bad) = traffic(&balance, 4, 2 * SECOND).await;

        assert_eq!(bad, 0, "{name}");
        let share = (world.calls("a") - before) as f64 / good as f64;
        assert!(share > 0.15, "{name}: {share}");
    }

    check("adaptive", Adaptive::new()).await;
    check("least requests", LeastRequests::default()).await;
    check("least latency", LeastLatency::default()).await;
    check("round robin", RoundRobin::new()).await;
    check("weighted", Weighted::new()).await;
    check("pick first", PickFirst::default()).await;
    check("random", Random::default()).await;
    let next = Arc::new(AtomicU64::new(0));
    let any = move |_: &u32| next.fetch_add(1, Ordering::Relaxed);
    check("ring", Ring::new(any)).await;
}

/// One that does not rest has to be seen to succeed as well: most of very many calls are not timed.
#[tokio::test(start_paused = true)]
async fn with_zero_one_that_is_back_does_not_fail_among_very_many_calls() {
    fastrand::seed(1);
    let world = World::default();
    let layer = BalanceLayer::new(["a"]).rest(Duration::ZERO);
    let mut balance = layer.layer(world.maker());
    ask_times(&mut balance, 10_000).await;
    sleep(11 * MILLISECOND).await;
    ask(&mut balance).await.unwrap();
    for _ in 0..10 {
        world.act("a", Act::Fail);
        for _ in 0..3 {
            assert!(ask(&mut balance).await.is_err());
        }
        assert_eq!(balance.snapshot().failing, 1);

        world.act("a", Act::Answer);
        ask(&mut balance).await.unwrap();

        assert_eq!(balance.snapshot().failing, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn with_zero_nobody_rests() {
    let world = World::default();
    world.act("a", Act::Fail);
    let layer = BalanceLayer::new(KEYS)
        .policy(RoundRobin::new())
        .rest(Duration::ZERO);
    let balance = layer.layer(world.maker());

    for _ in 0..100 {
        let _ = ask(&mut balance.clone()).await;
    }

    assert_eq!(world.calls("a"), 25);
}

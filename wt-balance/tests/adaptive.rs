//! What the default policy makes of what it has seen.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::{Act, Backend, Key, MILLISECOND, SECOND, World, ask, ask_times, settle, traffic};
use tokio::time::{sleep, timeout};
use tower::timeout::Timeout;
use tower::{Layer, Service, ServiceExt};
use wt_balance::{
    Adaptive, Balance, BalanceLayer, LeastLatency, LeastRequests, Pick, Policy, RoundRobin, View,
};

const KEYS: [Key; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

fn answering(world: &World) {
    for key in KEYS {
        world.act(key, Act::After(10 * MILLISECOND));
    }
}

/// What fails at once is fast, and has nothing under way: it used to draw all traffic.
#[tokio::test(start_paused = true)]
async fn a_fast_failer_draws_no_traffic() {
    async fn failures<P: Policy<u32> + Clone + Send + Sync + 'static>(policy: P) -> f64 {
        let world = World::default();
        answering(&world);
        world.act("3", Act::Fail);
        let balance = BalanceLayer::new(KEYS).policy(policy).layer(world.maker());
        let (good, bad) = traffic(&balance, 20, 30 * SECOND).await;
        100.0 * bad as f64 / (good + bad) as f64
    }

    let adaptive = failures(Adaptive::new()).await;
    let sampling = failures(Adaptive::new().scan(0)).await;
    let least_requests = failures(LeastRequests::default()).await;
    let least_latency = failures(LeastLatency::default()).await;

    assert!(adaptive <= 0.05, "{adaptive} %");
    assert!(sampling <= 0.05, "{sampling} %");
    assert!(least_requests <= 0.05, "{least_requests} %");
    assert!(least_latency <= 0.05, "{least_latency} %");
}

/// One that fails from the very first, before anything is known of the others.
#[tokio::test(start_paused = true)]
async fn a_fast_failer_draws_no_traffic_from_the_start() {
    let world = World::default();
    answering(&world);
    world.act("0", Act::Fail);
    let mut balance = world.balance(KEYS);

    let mut failed = 0;
    for _ in 0..1000 {
        failed += usize::from(ask(&mut balance).await.is_err());
    }

    // Five at first, and one in three or four seconds.
    assert!(failed <= 8, "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_failer_that_recovers_is_used_again() {
    let world = World::default();
    answering(&world);
    world.act("3", Act::Fail);
    let balance = world.balance(KEYS);
    traffic(&balance, 20, 10 * SECOND).await;

    world.act("3", Act::After(10 * MILLISECOND));
    traffic(&balance, 20, 60 * SECOND).await;
    let before = world.calls("3");
    let (good, _) = traffic(&balance, 20, 10 * SECOND).await;

    let share = (world.calls("3") - before) as f64 / good as f64;
    assert!(share >= 0.08, "{share}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_backend_gets_less_and_is_tried_again() {
    let world = World::default();
    answering(&world);
    world.act("3", Act::After(SECOND));
    let balance = world.balance(KEYS);

    let (good, _) = traffic(&balance, 20, 30 * SECOND).await;
    let share = world.calls("3") as f64 / good as f64;
    assert!(share < 0.01, "{share}");
    world.act("3", Act::After(10 * MILLISECOND));
    traffic(&balance, 20, 60 * SECOND).await;
    let before = world.calls("3");
    let (good, _) = traffic(&balance, 20, 10 * SECOND).await;

    let share = (world.calls("3") - before) as f64 / good as f64;
    // Of all alike it would be a tenth, in whole calls.
    assert!(share >= 0.05, "{share}");
}

/// Where one takes three times as long as the other, it has a third of the other's calls under way:
/// the split is that of the latency times the calls under way, plus one.
#[tokio::test(start_paused = true)]
async fn calls_under_way_are_split_by_what_they_take() {
    for (slow, split) in [(1, [12, 12]), (3, [18, 6]), (7, [21, 3]), (15, [23, 1])] {
        let world = World::default();
        let balance = world.balance(["a", "b"]);
        world.act("a", Act::After(10 * MILLISECOND));
        world.act("b", Act::After(slow * 10 * MILLISECOND));
        let mut in_turn = balance.clone().policy(RoundRobin::new());
        ask_times(&mut in_turn, 2).await;

        for key in ["a", "b"] {
            world.act(key, Act::Hang);
        }
        for _ in 0..24 {
            let mut balance = balance.clone();
            tokio::spawn(async move { ask(&mut balance).await });
        }
        settle().await;

        let seen = ["a", "b"].map(|key| world.under_way(key));
        // To the call: what differs little counts as alike.
        let error = seen[1].abs_diff(split[1]);
        assert!(error <= 1 + split[1] / 4, "{seen:?} and not {split:?}");
    }
}

fn below_1_s(world: &World) -> impl Fn(Key) -> Timeout<Backend> + Send + Sync + 'static {
    let maker = world.maker();
    move |key| Timeout::new(maker(key), SECOND)
}

/// What takes calls and answers none is not kept in favour: its timeout, below, is a failure.
#[tokio::test(start_paused = true)]
async fn a_black_hole_under_a_timeout_below_is_left_alone() {
    let world = World::default();
    answering(&world);
    let balance = BalanceLayer::new(KEYS).layer(below_1_s(&world));
    traffic(&balance, 20, 10 * SECOND).await;

    world.act("3", Act::Hang);
    let before = world.calls("3");
    let (_, bad) = traffic(&balance, 20, 60 * SECOND).await;

    let lost = world.calls("3") - before;
    assert!(lost <= 20, "{lost} calls");
    assert!(bad <= 20, "{bad} failures");
}

/// The timeout stands above: the balancer sees a call that is dropped, and when that was.
#[tokio::test(start_paused = true)]
async fn a_black_hole_under_a_timeout_above_is_left_alone_if_overdue_is_set() {
    let world = World::default();
    answering(&world);
    let layer = BalanceLayer::new(KEYS).overdue(900 * MILLISECOND);
    let balance = Timeout::new(layer.layer(world.maker()), SECOND);
    traffic(&balance, 20, 10 * SECOND).await;

    world.act("3", Act::Hang);
    let before = world.calls("3");
    let (_, bad) = traffic(&balance, 20, 60 * SECOND).await;

    let lost = world.calls("3") - before;
    assert!(lost <= 20, "{lost} calls");
    assert!(bad <= 20, "{bad} failures");
    assert!(balance.get_ref().snapshot().failures >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_early_is_no_failure_and_no_improvement() {
    let world = World::default();
    world.act("a", Act::After(100 * MILLISECOND));
    let mut balance = BalanceLayer::new(["a"])
        .overdue(SECOND)
        .layer(world.maker());
    ask(&mut balance).await.unwrap();
    let before = balance.snapshot().backends[0].latency.unwrap();

    world.act("a", Act::Hang);
    for _ in 0..50 {
        let dropped = timeout(MILLISECOND, ask(&mut balance)).await;
        assert!(dropped.is_err());
    }

    let after = &balance.snapshot().backends[0];
    assert_eq!(after.failures, 0);
    // It wears off by itself, to a third in ten seconds.
    let worn = before.mul_f64((-0.05_f64 / 10.0).exp());
    assert!(
        after.latency.unwrap() >= worn - MILLISECOND / 2,
        "{after:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_late_is_slow() {
    let world = World::default();
    world.act("a", Act::Hang);
    let mut balance = world.balance(["a"]);

    assert!(timeout(3 * SECOND, ask(&mut balance)).await.is_err());

    let backend = &balance.snapshot().backends[0];
    let latency = backend.latency.unwrap();
    assert!(latency >= 2990 * MILLISECOND, "{backend:?}");
    assert_eq!(backend.failures, 0, "that is off by default");
}

/// Of very many calls, not all are timed: of those it is not known how long they have taken.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_timed_is_not_overdue() {
    let world = World::default();
    let layer = BalanceLayer::new(["a"]).overdue(SECOND);
    let mut balance = layer.layer(world.maker());
    for _ in 0..10 {
        ask_times(&mut balance, 5000).await;
        sleep(10 * MILLISECOND).await;
    }
    sleep(60 * SECOND).await;

    world.act("a", Act::Hang);
    for _ in 0..8 {
        assert!(timeout(MILLISECOND, ask(&mut balance)).await.is_err());
    }
    assert!(timeout(2 * SECOND, ask(&mut balance)).await.is_err());

    // The last one is: there are few calls now.
    assert_eq!(balance.snapshot().failures, 1);
}

/// A hedge's loser, cancelled again and again before it answers, must not look fast.
#[tokio::test(start_paused = true)]
async fn one_that_never_answers_in_time_is_not_preferred() {
    let world = World::default();
    world.act("a", Act::Hang);
    world.act("b", Act::After(20 * MILLISECOND));
    let mut balance = world.balance(["a", "b"]);

    let mut answers = 0;
    for _ in 0..200 {
        answers += usize::from(timeout(30 * MILLISECOND, ask(&mut balance)).await.is_ok());
    }

    assert!(answers >= 120, "{answers}");
}

/// The one at this place, whatever is known of it.
#[derive(Clone, Copy)]
struct At(usize);

impl<Req> Policy<Req> for At {
    fn pick(&self, _: &View<'_>, _: Option<&Req>) -> Pick {
        Pick::One(self.0)
    }
}

/// Given up sooner than any answers: it is taken for as slow as the others, and not for that fast.
#[tokio::test(start_paused = true)]
async fn how_soon_a_call_is_dropped_is_not_how_long_it_takes() {
    let world = World::default();
    world.act("a", Act::Hang);
    world.act("b", Act::After(20 * MILLISECOND));
    let mut balance = world.balance(["a", "b"]);
    ask(&mut balance.clone().policy(At(1))).await.unwrap();

    for _ in 0..200 {
        let call = balance.ready().await.unwrap().call(0);
        if world.under_way("a") > 0 {
            assert!(timeout(MILLISECOND, call).await.is_err());
        } else {
            call.await.unwrap();
        }
    }

    let to_it = world.calls("a");
    assert!((50..150).contains(&to_it), "{to_it}");
}

/// What the others take had not been measured for a minute, and had worn off: a failure counted
/// for little beside it.
#[tokio::test(start_paused = true)]
async fn a_failure_after_a_pause_counts_as_much_as_any() {
    let world = World::default();
    answering(&world);
    let balance = world.balance(KEYS);
    traffic(&balance, 20, 10 * SECOND).await;

    sleep(60 * SECOND).await;
    world.act("3", Act::Fail);
    let to_it = balance.clone().policy(At(3));
    for _ in 0..6 {
        assert!(ask(&mut to_it.clone()).await.is_err());
    }
    let (_, bad) = traffic(&balance, 20, SECOND).await;

    assert_eq!(bad, 0);
}

/// A look projects what is known to the moment, and leaves it as it was: of two balancers with the
/// same past, one is looked at all the time.
#[tokio::test(start_paused = true)]
async fn reading_changes_nothing() {
    let world = World::default();
    answering(&world);
    world.act("3", Act::FailAfter(20 * MILLISECOND));
    let mut both = [world.balance(KEYS), world.balance(KEYS)];
    for balance in &both {
        let mut in_turn = balance.clone().policy(RoundRobin::new());
        for _ in 0..20 {
            let _ = ask(&mut in_turn).await;
        }
    }
    let [looked_at, left] = &mut both;
    for _ in 0..1000 {
        let mut ready = looked_at.clone();
        ready.ready().await.unwrap();
        drop(looked_at.snapshot());
        sleep(10 * MILLISECOND).await;
    }

    let figures = |snapshot: wt_balance::Snapshot<Key>| {
        let backends = snapshot.backends.into_iter();
        let figures = backends.map(|backend| (backend.latency, backend.failing, backend.calls));
        figures.collect::<Vec<_>>()
    };
    // The one had its calls a little later.
    let (looked_at, left) = (figures(looked_at.snapshot()), figures(left.snapshot()));
    for (looked_at, left) in looked_at.iter().zip(&left) {
        assert_eq!(looked_at.0.is_some(), left.0.is_some());
        if let (Some(a), Some(b)) = (looked_at.0, left.0) {
            assert!(
                (a.as_secs_f64() / b.as_secs_f64() - 1.0).abs() < 0.05,
                "{a:?} {b:?}"
            );
            assert!(a < 8 * MILLISECOND, "it has worn off");
        }
        assert_eq!((looked_at.1, looked_at.2), (left.1, left.2));
    }
}

/// All that are few are compared; of many, some.
#[tokio::test(start_paused = true)]
async fn up_to_64_all_are_compared_and_above_some() {
    async fn slow(n: usize) -> usize {
        let keys: Vec<Key> = (0..n)
            .map(|n| &*Box::leak(n.to_string().into_boxed_str()))
            .collect();
        let world = World::default();
        for key in &keys {
            world.act(key, Act::After(SECOND));
        }
        // One is fast, and is found at once if all are compared.
        world.act(keys[n / 2], Act::After(MILLISECOND));
        let balance = BalanceLayer::new(keys.clone()).layer(world.maker());
        let mut in_turn = balance.clone().policy(RoundRobin::new());
        for _ in 0..n {
            ask(&mut in_turn).await.unwrap();
        }
        let before = world.calls(keys[n / 2]);
        let mut adaptive: Balance<_, _> = balance;
        ask_times(&mut adaptive, 20).await;
        20 - (world.calls(keys[n / 2]) - before)
    }

    assert_eq!(slow(10).await, 0);
    assert_eq!(slow(64).await, 0);
    assert!(slow(65).await > 0);
    assert!(slow(200).await > 0);
}

//! How budgets bound what retries add.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::advance;
use tokio_test::{assert_pending, assert_ready_err, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use wt_retry::backoff::Constant;
use wt_retry::budget::{Budget, Budgets, RatioBudget, Throttle};
use wt_retry::{PolicyFor, Reason, RetryLayer, StandardPolicy, Verdict};

use common::{Classify, Failed, Heard, SECOND, by_error, policy};

/// Fails always, and counts its calls.
fn failing(
    verdict: Verdict,
) -> (
    impl Service<&'static str, Response = &'static str, Error = Failed, Future: Send> + Clone,
    Heard<()>,
) {
    let calls = Heard::new();
    let heard = calls.clone();
    let service = service_fn(move |_| {
        heard.hear(());
        ready(Err(Failed(verdict)))
    });
    (service, calls)
}

#[tokio::test(start_paused = true)]
async fn the_first_second_of_an_outage_is_no_burst() {
    // A thousand calls a second, each of which may have three retries: tower's budget, which saves
    // up ten seconds' worth, lets more than a thousand of them through at once.
    let (service, calls) = failing(Verdict::Retry);
    let policy = StandardPolicy::new(by_error, Constant::new(Duration::ZERO));
    let mut retry = RetryLayer::new(policy.clone()).layer(service);

    for _ in 0..1000 {
        retry
            .ready()
            .await
            .unwrap()
            .call("question")
            .await
            .unwrap_err();
        advance(SECOND / 1000).await;
    }

    let retries = calls.all().len() - 1000;
    assert!((190..=210).contains(&retries), "{retries} retries");
    assert_eq!(policy.stats().retries, retries as u64);
    assert!(policy.stats().budget_refusals >= 900);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_the_budget_refuses_is_not_made() {
    let (service, calls) = failing(Verdict::Retry);
    let empty = RatioBudget::default().burst(0).floor(0);
    let reasons = Heard::new();
    let told = reasons.clone();
    let layer = RetryLayer::new(policy().budget(empty))
        .observer(move |policy, _| told.hear(policy.reason()));

    let result = layer.layer(service).oneshot("question").await;

    assert_eq!(result, Err(Failed(Verdict::Retry)));
    assert_eq!(calls.all().len(), 1);
    assert_eq!(reasons.all(), [Some(Reason::Budget)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_seen_at_the_other_end_costs_no_budget() {
    let (service, calls) = failing(Verdict::RetryUnsent);
    let empty = RatioBudget::default().burst(0).floor(0);

    let retry = RetryLayer::new(policy().budget(empty)).layer(service);
    retry.oneshot("question").await.unwrap_err();

    assert_eq!(calls.all().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn first_attempts_deposit_and_retries_do_not() {
    let budget = RatioBudget::default().ratio(0.5).burst(100).floor(0);
    while let Some(mut permit) = budget.withdraw() {
        budget.sent(&mut permit);
    }
    let (service, calls) = failing(Verdict::Retry);
    let mut retry = RetryLayer::new(policy().budget(budget)).layer(service);

    for _ in 0..4 {
        retry
            .ready()
            .await
            .unwrap()
            .call("question")
            .await
            .unwrap_err();
    }

    assert_eq!(calls.all().len(), 4 + 2);
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_withdrawn_that_is_not_made_for_another_reason() {
    let budget = RatioBudget::default().burst(5).floor(0);
    for verdict in [Verdict::Return, Verdict::RetryAfter(31 * SECOND)] {
        let (service, _) = failing(verdict);

        let retry = RetryLayer::new(policy().budget(budget.clone())).layer(service);
        retry.oneshot("question").await.unwrap_err();
    }

    assert_eq!(budget.left(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_while_its_retry_sleeps_gives_the_retry_back() {
    let budget = RatioBudget::default().burst(5).floor(0);
    let (service, _) = failing(Verdict::Retry);
    let retry = RetryLayer::new(policy().budget(budget.clone())).layer(service);
    let mut call = task::spawn(retry.oneshot("question"));
    assert_pending!(call.poll());
    assert_eq!(budget.left(), 4);

    drop(call);

    assert_eq!(budget.left(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_was_sent_stays_spent() {
    let budget = RatioBudget::default().burst(5).floor(0);
    let (service, _) = failing(Verdict::Retry);
    let retry = RetryLayer::new(policy().budget(budget.clone()).attempts(2)).layer(service);

    retry.oneshot("question").await.unwrap_err();

    assert_eq!(budget.left(), 4);
}

/// Allows so many retries at a time.
#[derive(Clone)]
struct AtATime(Arc<Semaphore>);

impl Budget for AtATime {
    type Permit = OwnedSemaphorePermit;

    fn deposit(&self) {}

    fn withdraw(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_held_until_its_retry_is_answered() {
    let slots = Arc::new(Semaphore::new(1));
    let calls = Heard::new();
    let heard = calls.clone();
    let service = service_fn(move |_: &'static str| {
        heard.hear(());
        let answers = heard.all().len() != 2;
        async move {
            if answers {
                return Err(Failed(Verdict::Retry));
            }
            tokio::time::sleep(SECOND).await;
            Err::<&str, _>(Failed(Verdict::Return))
        }
    });
    let policy = policy().budget(AtATime(Arc::clone(&slots)));
    let retry = RetryLayer::new(policy).layer(service);

    let mut call = task::spawn(retry.oneshot("question"));
    assert_pending!(call.poll());
    assert_eq!(slots.available_permits(), 0);
    advance(SECOND).await;
    assert_pending!(call.poll());
    assert_eq!((calls.all().len(), slots.available_permits()), (2, 0));
    advance(SECOND).await;
    assert_ready_err!(call.poll());

    assert_eq!(slots.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answered_retry_makes_room_for_the_next_one() {
    let (service, calls) = failing(Verdict::Retry);
    let policy = policy().budget(AtATime(Arc::new(Semaphore::new(1))));

    let retry = RetryLayer::new(policy).layer(service);
    retry.oneshot("question").await.unwrap_err();

    assert_eq!(calls.all().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_gives_its_permit_back_too() {
    let slots = Arc::new(Semaphore::new(1));
    let (service, _) = failing(Verdict::Retry);
    let policy = policy().budget(AtATime(Arc::clone(&slots))).attempts(2);
    let retry = RetryLayer::new(policy).layer(service);

    let mut call = task::spawn(retry.oneshot("question"));
    assert_pending!(call.poll());
    advance(SECOND).await;
    assert_ready_err!(call.poll());

    // The future is still there.
    assert_eq!(slots.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_gives_its_permit_back() {
    let slots = Arc::new(Semaphore::new(1));
    let calls = Heard::new();
    let heard = calls.clone();
    let service = service_fn(move |_: &'static str| {
        heard.hear(());
        // Of the two attempts of each call, the first.
        let first = heard.all().len() % 2 == 1;
        async move {
            if first {
                return Err(Failed(Verdict::Retry));
            }
            pending::<Result<&str, _>>().await
        }
    });
    let policy = policy().budget(AtATime(Arc::clone(&slots)));
    let retry = RetryLayer::new(policy).layer(service);
    let give_up_after = |polls: u32| {
        let (retry, slots) = (retry.clone(), Arc::clone(&slots));
        async move {
            let mut call = task::spawn(retry.oneshot("question"));
            for _ in 0..polls {
                assert_pending!(call.poll());
                advance(SECOND).await;
            }
            assert_eq!(slots.available_permits(), 0);
        }
    };

    // While it waits for its answer, and while it sleeps.
    give_up_after(2).await;
    assert_eq!((calls.all().len(), slots.available_permits()), (2, 1));
    give_up_after(1).await;
    assert_eq!((calls.all().len(), slots.available_permits()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_throttle_hears_of_last_attempts() {
    // Four failures of ten stop nothing, the fifth is the last attempt of the second call.
    let (service, calls) = failing(Verdict::Retry);
    let policy = policy().budget(Throttle::new(10, 0.1));
    let mut retry = RetryLayer::new(policy).layer(service);

    for _ in 0..3 {
        retry
            .ready()
            .await
            .unwrap()
            .call("question")
            .await
            .unwrap_err();
    }

    assert_eq!(calls.all().len(), 4 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_recovers_by_what_succeeds() {
    let throttle = Throttle::new(10, 1.0);
    for _ in 0..10 {
        throttle.answered(true);
    }
    let service = service_fn(|_: &'static str| ready(Ok::<&str, Failed>("answer")));
    let mut retry = RetryLayer::new(policy().budget(throttle.clone())).layer(service);

    for allowed in [false, false, false, false, false, true] {
        retry.ready().await.unwrap().call("question").await.unwrap();

        assert_eq!(throttle.withdraw().is_some(), allowed);
    }
}

#[tokio::test(start_paused = true)]
async fn errors_that_are_final_do_not_count_for_a_throttle() {
    let throttle = Throttle::new(2, 1.0);
    throttle.answered(true);
    let (service, _) = failing(Verdict::Return);
    let retry = RetryLayer::new(policy().budget(throttle.clone())).layer(service);

    retry.oneshot("question").await.unwrap_err();

    assert!(throttle.withdraw().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_never_reached_the_application_does_not_count_for_a_throttle() {
    let throttle = Throttle::new(2, 0.1);
    let (service, _) = failing(Verdict::RetryUnsent);
    let retry = RetryLayer::new(policy().budget(throttle.clone())).layer(service);

    retry.oneshot("question").await.unwrap_err();

    assert!(throttle.withdraw().is_some());
}

#[tokio::test(start_paused = true)]
async fn each_destination_has_its_own_budget() {
    let budgets = Budgets::new(8, || RatioBudget::default().burst(1).floor(0));
    let policy: StandardPolicy<Classify, Constant> = policy();
    let stats = policy.clone();
    let choose = move |target: &&'static str| policy.clone().budget(budgets.get(*target));
    let (service, calls) = failing(Verdict::Retry);
    let mut ours = RetryLayer::new(PolicyFor::new(choose.clone())).layer(service.clone());
    let mut towers = tower::ServiceBuilder::new()
        .retry(PolicyFor::new(choose))
        .service(service);

    for target in ["a", "a", "b"] {
        ours.ready().await.unwrap().call(target).await.unwrap_err();
    }
    let by_ours = calls.all().len();
    for target in ["c", "c", "d", "a"] {
        towers
            .ready()
            .await
            .unwrap()
            .call(target)
            .await
            .unwrap_err();
    }

    assert_eq!(by_ours, 2 + 1 + 2);
    assert_eq!(calls.all().len() - by_ours, 2 + 1 + 2 + 1);
    assert_eq!(stats.stats().retries, 4);
}

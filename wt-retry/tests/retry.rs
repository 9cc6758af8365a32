//! How calls are sent again, from outside.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_retry::backoff::{Constant, Exponential, List};
use wt_retry::replay::Never;
use wt_retry::{Reason, RetryLayer, RetryStats, StandardPolicy, Stopped, Verdict};

use common::{Failed, Foreign, Heard, SECOND, Standard, failing, policy};

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_sent_again_after_the_backoff() {
    let (service, calls) = failing([Verdict::Retry; 2]);
    let delays = List::new([SECOND, 3 * SECOND]);
    let classify = |_: &&str, result: Result<&&str, &Failed>| match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    };
    let layer = RetryLayer::new(StandardPolicy::new(classify, delays));

    let answer = layer.layer(service).oneshot("question").await;

    assert_eq!(answer, Ok("answer"));
    assert_eq!(calls.all(), [Duration::ZERO, SECOND, 4 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_call_has_four_attempts_and_then_the_error_of_the_last() {
    let (service, calls) = failing([Verdict::Retry; 10]);

    let result = RetryLayer::new(policy())
        .layer(service)
        .oneshot("question")
        .await;

    assert_eq!(result, Err(Failed(Verdict::Retry)));
    assert_eq!(calls.all(), [0, 1, 2, 3].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn what_is_final_is_returned_at_once() {
    let (service, calls) = failing([Verdict::Return]);

    let result = RetryLayer::new(policy())
        .layer(service)
        .oneshot("question")
        .await;

    assert_eq!(result, Err(Failed(Verdict::Return)));
    assert_eq!(calls.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_the_server_is_waited_for() {
    let (service, calls) = failing([Verdict::RetryAfter(7 * SECOND)]);

    let result = RetryLayer::new(policy())
        .layer(service)
        .oneshot("question")
        .await;

    assert_eq!(result, Ok("answer"));
    assert_eq!(calls.all(), [Duration::ZERO, 8 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_hint_beyond_the_longest_is_the_callers_to_know() {
    let hint = Verdict::RetryAfter(Duration::MAX);
    let (service, calls) = failing([hint]);

    let result = RetryLayer::new(policy())
        .layer(service)
        .oneshot("question")
        .await;

    assert_eq!(result, Err(Failed(hint)));
    assert_eq!(calls.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_kept_is_sent_once() {
    /// Not `Clone`.
    struct Once;
    let calls = Heard::new();
    let heard = calls.clone();
    let service = service_fn(move |_: Once| {
        heard.hear(());
        ready(Err::<(), _>("failed"))
    });
    let classify = |_: &Once, _: Result<&(), &&str>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Exponential::default()).replay(Never);
    let reasons = Heard::new();
    let told = reasons.clone();
    let layer = RetryLayer::new(policy).observer(move |policy, ended| {
        told.hear((policy.reason(), ended.stopped));
    });

    let result = layer.layer(service).oneshot(Once).await;

    assert_eq!(result, Err("failed"));
    assert_eq!(calls.all().len(), 1);
    let expected = (Some(Reason::Unreplayable), Stopped::Unsaved);
    assert_eq!(reasons.all(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_one_attempt_keeps_no_request() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Clone for Counted {
        fn clone(&self) -> Self {
            CLONES.fetch_add(1, Ordering::Relaxed);
            Self
        }
    }
    let classify = |_: &Counted, _: Result<&(), &()>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Constant::new(SECOND));
    let service = service_fn(|_: Counted| ready(Err(())));

    let once = RetryLayer::new(policy.clone().attempts(1)).layer(service);
    once.oneshot(Counted).await.unwrap_err();
    let of_one = CLONES.swap(0, Ordering::Relaxed);
    let twice = RetryLayer::new(policy.attempts(2)).layer(service);
    twice.oneshot(Counted).await.unwrap_err();
    let of_two = CLONES.swap(0, Ordering::Relaxed);

    assert_eq!((of_one, of_two), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_the_attempts_and_the_reason() {
    let ended = Heard::new();
    let layer = || {
        let told = ended.clone();
        RetryLayer::new(policy()).observer(move |policy: &Standard, end| {
            told.hear((end.attempts, end.stopped, policy.reason()));
        })
    };

    for verdicts in [
        vec![],
        vec![Verdict::Retry],
        vec![Verdict::Retry; 9],
        vec![Verdict::RetryUnsent, Verdict::RetryAfter(31 * SECOND)],
    ] {
        let (service, _) = failing(verdicts);
        let _ = layer().layer(service).oneshot("question").await;
    }

    let expected = [
        (1, Stopped::Policy, Some(Reason::Returned)),
        (2, Stopped::Policy, Some(Reason::Returned)),
        (4, Stopped::Unsaved, Some(Reason::Attempts)),
        (2, Stopped::Policy, Some(Reason::Hint)),
    ];
    assert_eq!(ended.all(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_delays_ends_the_call() {
    let (service, calls) = failing([Verdict::Retry; 9]);
    let classify = |_: &&str, result: Result<&&str, &Failed>| match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, List::new([SECOND]));
    let reasons = Heard::new();
    let told = reasons.clone();
    let layer = RetryLayer::new(policy).observer(move |policy, _| told.hear(policy.reason()));

    layer.layer(service).oneshot("question").await.unwrap_err();

    assert_eq!(calls.all().len(), 2);
    assert_eq!(reasons.all(), [Some(Reason::Backoff)]);
}

#[tokio::test(start_paused = true)]
async fn a_backoff_is_asked_once_by_a_call_that_fails_and_never_by_others() {
    let asked = Heard::new();
    let heard = asked.clone();
    let backoff = move || {
        heard.hear(());
        std::iter::repeat(SECOND)
    };
    let classify = |_: &&str, result: Result<&&str, &Failed>| match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, backoff);

    let (sound, _) = failing([]);
    let mut sound = RetryLayer::new(policy.clone()).layer(sound);
    sound.ready().await.unwrap().call("question").await.unwrap();
    let none = asked.all().len();
    let (broken, calls) = failing([Verdict::Retry; 9]);
    RetryLayer::new(policy)
        .layer(broken)
        .oneshot("question")
        .await
        .unwrap_err();

    assert_eq!((none, calls.all().len(), asked.all().len()), (0, 4, 1));
}

#[tokio::test(start_paused = true)]
async fn counters_add_up_over_calls_and_clones() {
    let policy = policy();

    for verdicts in [
        vec![],
        vec![Verdict::RetryUnsent, Verdict::RetryUnsent, Verdict::Retry],
        vec![
            Verdict::RetryAfter(SECOND),
            Verdict::RetryAfter(Duration::MAX),
        ],
        vec![Verdict::Return],
    ] {
        let (service, _) = failing(verdicts);
        let retry = RetryLayer::new(policy.clone()).layer(service);
        let _ = retry.oneshot("question").await;
    }

    let mut expected = RetryStats::default();
    expected.attempts = 1 + 4 + 2 + 1;
    expected.retries = 3 + 1;
    expected.unsent = 2;
    expected.hints = 2;
    assert_eq!(policy.stats(), expected);
}

#[tokio::test(start_paused = true)]
async fn each_call_under_towers_retry_has_its_own_attempts() {
    let policy = policy();
    let (service, calls) = failing([Verdict::Retry; 8]);
    let mut service = ServiceBuilder::new().retry(policy.clone()).service(service);

    for _ in 0..2 {
        let result = service.ready().await.unwrap().call("question").await;

        assert_eq!(result, Err(Failed(Verdict::Retry)));
    }

    let expected = [0, 1, 2, 3, 3, 4, 5, 6].map(Duration::from_secs);
    assert_eq!(calls.all(), expected);
    assert_eq!((policy.stats().attempts, policy.stats().retries), (8, 6));
}

#[tokio::test(start_paused = true)]
async fn each_call_asks_its_own_clone_of_any_policy() {
    let (service, calls) = failing([Verdict::Retry; 9]);
    let asked = Heard::new();
    let told = asked.clone();
    let layer = RetryLayer::new(Foreign::new(2))
        .observer(move |policy: &Foreign, ended| told.hear((policy.asked, ended.attempts)));
    let mut service = layer.layer(service);

    for _ in 0..3 {
        service
            .ready()
            .await
            .unwrap()
            .call("question")
            .await
            .unwrap_err();
    }

    assert_eq!(calls.all().len(), 9);
    assert_eq!(asked.all(), [(3, 3); 3]);
}

#[tokio::test(start_paused = true)]
async fn a_maker_connects_again() {
    #[derive(Clone, Debug, PartialEq)]
    struct Target(&'static str);
    let began = Instant::now();
    let connects = Heard::new();
    let heard = connects.clone();
    let connector = service_fn(move |Target(name)| {
        heard.hear(name);
        let refused = heard.all().len() < 3;
        ready(if refused {
            Err("refused")
        } else {
            Ok(name.len())
        })
    });
    let classify = |_: &Target, result: Result<&usize, &&str>| match result {
        Ok(_) => Verdict::Return,
        Err(_) => Verdict::Retry,
    };
    let policy = StandardPolicy::new(classify, Constant::new(SECOND));

    let connection = RetryLayer::new(policy)
        .layer(connector)
        .oneshot(Target("a"))
        .await;

    assert_eq!(connection, Ok(1));
    assert_eq!(connects.all(), ["a"; 3]);
    assert_eq!(began.elapsed(), 2 * SECOND);
}

#[test]
#[should_panic(expected = "at least one attempt")]
fn a_policy_without_attempts_is_refused() {
    let _ = policy().attempts(0);
}

//! How long calls may take in all.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_test::mock;
use wt_retry::backoff::Constant;
use wt_retry::mark::{Attempt, Marks};
use wt_retry::{DeadlineExceeded, DeadlineLayer, Reason, RetryLayer, StandardPolicy, Verdict};

use common::{Failed, Heard, SECOND, limited};

#[derive(Clone, Copy, Debug, Default)]
struct Question {
    attempt: Attempt,
}

type Read = fn(&Question) -> Attempt;
type Write = fn(&mut Question, Attempt);

fn marks() -> Marks<Read, Write> {
    let read: Read = |question| question.attempt;
    let write: Write = |question, attempt| question.attempt = attempt;
    Marks::new(read, write)
}

fn classify(_: &Question, result: Result<&(), &Failed>) -> Verdict {
    match result {
        Ok(()) => Verdict::Return,
        Err(Failed(verdict)) => *verdict,
    }
}

fn exceeded(error: &BoxError) -> Duration {
    error.downcast_ref::<DeadlineExceeded>().unwrap().limit()
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_readiness_counts() {
    let (mut service, mut handle) = mock::spawn_layer::<_, &str, _>(DeadlineLayer::new(SECOND));
    handle.allow(0);

    // Always ready: the call is what waits.
    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call("question"));
    assert_pending!(call.poll());
    advance(SECOND).await;

    assert!(call.is_woken());
    assert_eq!(exceeded(&assert_ready_err!(call.poll())), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_call_ends_at_the_deadline() {
    let began = Instant::now();
    let service = service_fn(|()| pending::<Result<(), BoxError>>());

    let result = DeadlineLayer::new(SECOND).layer(service).oneshot(()).await;

    assert_eq!(exceeded(&result.unwrap_err()), SECOND);
    assert_eq!(began.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn answers_and_errors_of_the_service_pass_unchanged() {
    let service = service_fn(|fails: bool| {
        ready(if fails {
            Err(Failed(Verdict::Return))
        } else {
            Ok(1)
        })
    });
    let mut service = DeadlineLayer::new(SECOND).layer(service);

    let answer = service.ready().await.unwrap().call(false).await;
    let error = service.ready().await.unwrap().call(true).await;

    assert_eq!(answer.unwrap(), 1);
    let error = error.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Failed(Verdict::Return)));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_gone_says_so_in_the_call() {
    let (mut service, mut handle) = mock::spawn_layer::<_, &str, _>(DeadlineLayer::new(SECOND));
    handle.send_error("gone");

    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call("question"));

    assert_eq!(assert_ready_err!(call.poll()).to_string(), "gone");
}

#[tokio::test(start_paused = true)]
async fn an_answer_just_at_the_deadline_counts() {
    let service = service_fn(|()| async {
        tokio::time::sleep(SECOND).await;
        Ok::<_, BoxError>("answer")
    });

    let answer = DeadlineLayer::new(SECOND).layer(service).oneshot(()).await;

    assert_eq!(answer.unwrap(), "answer");
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_releases_what_it_holds() {
    let slots = Arc::new(Semaphore::new(1));
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(limited(&slots))
        .service_fn(|()| pending::<Result<(), BoxError>>());
    let mut call = task::spawn(service.oneshot(()));
    assert_pending!(call.poll());
    assert_eq!(slots.available_permits(), 0);

    drop(call);

    assert_eq!(slots.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_late_releases_what_it_holds() {
    let slots = Arc::new(Semaphore::new(1));
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(limited(&slots))
        .service_fn(|()| pending::<Result<(), BoxError>>());
    let mut service = mock::Spawn::new(service);
    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call(()));
    assert_pending!(call.poll());
    assert_eq!(slots.available_permits(), 0);

    advance(SECOND).await;
    assert_ready_err!(call.poll());

    // The future is still there.
    assert_eq!(slots.available_permits(), 1);
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn the_readied_instance_is_the_one_that_is_called() {
    let slots = Arc::new(Semaphore::new(1));
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        // Panics if an instance is called that was not ready.
        .layer(limited(&slots))
        .service_fn(|()| ready(Ok::<_, BoxError>(())));
    let mut service = mock::Spawn::new(service);

    for _ in 0..2 {
        assert_ready_ok!(service.poll_ready());
        let mut call = task::spawn(service.call(()));
        assert_ready_ok!(call.poll());
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_call_does_not_outlast_its_deadline() {
    // It uses up what a task may do in one go, time and again, and the timer had no share in that.
    let service = service_fn(|()| async {
        loop {
            tokio::task::consume_budget().await;
        }
        #[expect(unreachable_code, reason = "says what the service answers with")]
        Ok::<_, BoxError>(())
    });
    let call = DeadlineLayer::new(SECOND).layer(service).oneshot(());

    let mut call = task::spawn(call);
    assert_pending!(call.poll());
    advance(SECOND).await;

    assert_eq!(exceeded(&assert_ready_err!(call.poll())), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_endless_limit_does_not_overflow() {
    let service = service_fn(|()| ready(Ok::<_, BoxError>(())));

    let answer = DeadlineLayer::new(Duration::MAX)
        .layer(service)
        .oneshot(())
        .await;

    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_two_deadlines_holds() {
    let began = Instant::now();
    let seen = Heard::new();
    for (outer, inner) in [(3, 5), (5, 3)] {
        let heard = seen.clone();
        let service = ServiceBuilder::new()
            .layer(DeadlineLayer::new(outer * SECOND).marks(marks()))
            .layer(DeadlineLayer::new(inner * SECOND).marks(marks()))
            .service_fn(move |question: Question| {
                heard.hear(question.attempt.deadline().unwrap() - began);
                ready(Ok::<_, BoxError>(()))
            });
        service.oneshot(Question::default()).await.unwrap();
    }

    assert_eq!(seen.all(), [3 * SECOND, 3 * SECOND]);
}

/// Calls a failing service with a retry each second until `limit`; says how long that took, how
/// many attempts were made, and why there were no more.
async fn retried_until(limit: Duration, verdict: Verdict) -> (Duration, usize, Option<Reason>) {
    let began = Instant::now();
    let calls = Heard::new();
    let reasons = Heard::new();
    let (heard, told) = (calls.clone(), reasons.clone());
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).marks(marks());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(limit).marks(marks()))
        .layer(RetryLayer::standard(policy).observer(move |policy, _| told.hear(policy.reason())))
        .service_fn(move |_| {
            heard.hear(());
            ready(Err::<(), _>(Failed(verdict)))
        });

    let error = service.oneshot(Question::default()).await.unwrap_err();

    assert_eq!(error.downcast_ref(), Some(&Failed(verdict)));
    (began.elapsed(), calls.all().len(), reasons.all()[0])
}

#[tokio::test(start_paused = true)]
async fn no_retry_sleeps_beyond_the_deadline() {
    let limit = SECOND * 5 / 2;

    let retried = retried_until(limit, Verdict::Retry).await;
    let hinted = retried_until(limit, Verdict::RetryAfter(2 * SECOND)).await;

    assert_eq!(retried, (2 * SECOND, 3, Some(Reason::Deadline)));
    assert_eq!(hinted, (Duration::ZERO, 1, Some(Reason::Deadline)));
}

#[tokio::test(start_paused = true)]
async fn deadlines_that_end_a_call_are_counted() {
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).marks(marks());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND).marks(marks()))
        .layer(RetryLayer::standard(policy.clone()))
        .service_fn(|_| ready(Err::<(), _>(Failed(Verdict::Retry))));

    service.oneshot(Question::default()).await.unwrap_err();

    assert_eq!(policy.stats().deadlines, 1);
    assert_eq!(policy.stats().retries, 0);
}

#[tokio::test(start_paused = true)]
async fn towers_retry_keeps_to_the_deadline_too() {
    let began = Instant::now();
    let policy = StandardPolicy::new(classify, Constant::new(SECOND)).marks(marks());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND * 3 / 2).marks(marks()))
        .retry(policy)
        .service_fn(|_| ready(Err::<(), _>(Failed(Verdict::Retry))));

    service.oneshot(Question::default()).await.unwrap_err();

    assert_eq!(began.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn without_marks_a_sleeping_retry_is_ended_by_the_deadline() {
    let began = Instant::now();
    let policy = StandardPolicy::new(classify, Constant::new(2 * SECOND));
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(SECOND))
        .layer(RetryLayer::new(policy))
        .service_fn(|_| ready(Err::<(), _>(Failed(Verdict::Retry))));

    let error = service.oneshot(Question::default()).await.unwrap_err();

    assert_eq!(exceeded(&error), SECOND);
    assert_eq!(began.elapsed(), SECOND);
}

#[test]
fn services_and_futures_go_where_their_parts_go() {
    fn shared<T: Clone + Send + Sync>(value: T) -> T {
        value
    }
    fn sent<T: Send>(_: &T) {}
    let service = service_fn(|()| ready(Ok::<_, BoxError>(())));
    let service = shared(shared(DeadlineLayer::new(SECOND)).layer(service));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { sent(&service.oneshot(())) });
}

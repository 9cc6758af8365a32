//! What the layers of one stack tell each other, by marks in the request.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::ready;

use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use wt_retry::backoff::Constant;
use wt_retry::mark::{Attempt, InExtensions, Mark};
use wt_retry::{Reason, RetryLayer, StandardPolicy, Stopped, Verdict};

use common::{Heard, SECOND};

type Request = http::Request<()>;
type Classify = fn(&Request, Result<&(), &&'static str>) -> Verdict;

fn unmarked() -> StandardPolicy<Classify, Constant> {
    fn classify(_: &Request, result: Result<&(), &&str>) -> Verdict {
        match result {
            Ok(()) => Verdict::Return,
            Err(_) => Verdict::Retry,
        }
    }
    StandardPolicy::new(classify, Constant::new(SECOND))
}

/// Fails always, and notes the number of each attempt that it sees.
fn failing() -> (
    impl Service<Request, Response = (), Error = &'static str, Future: Send> + Clone,
    Heard<Option<u32>>,
) {
    let numbers = Heard::new();
    let heard = numbers.clone();
    let service = service_fn(move |request: Request| {
        heard.hear(InExtensions.read(&request).number());
        ready(Err("failed"))
    });
    (service, numbers)
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_number() {
    let (service, numbers) = failing();
    let layer = RetryLayer::standard(unmarked().marks(InExtensions));

    layer
        .layer(service)
        .oneshot(Request::new(()))
        .await
        .unwrap_err();

    assert_eq!(numbers.all(), [Some(1), Some(2), Some(3), Some(4)]);
}

#[tokio::test(start_paused = true)]
async fn a_mark_keeps_the_deadline_beside_it() {
    let deadline = tokio::time::Instant::now() + 100 * SECOND;
    let kept = Heard::new();
    let heard = kept.clone();
    let service = service_fn(move |request: Request| {
        heard.hear(InExtensions.read(&request).deadline());
        ready(Err::<(), _>("failed"))
    });
    let mut request = Request::new(());
    InExtensions.write(&mut request, Attempt::default().with_deadline(deadline));

    let layer = RetryLayer::standard(unmarked().marks(InExtensions));
    layer.layer(service).oneshot(request).await.unwrap_err();

    assert_eq!(kept.all(), [Some(deadline); 4]);
}

#[tokio::test(start_paused = true)]
async fn nested_layers_do_not_multiply() {
    let (service, numbers) = failing();
    let ended = Heard::new();
    let told = ended.clone();
    let layer = || RetryLayer::standard(unmarked().marks(InExtensions));
    let inner = layer().observer(move |_, end| told.hear((end.attempts, end.stopped)));
    let stack = ServiceBuilder::new()
        .layer(layer())
        .layer(inner)
        .service(service);

    stack.oneshot(Request::new(())).await.unwrap_err();

    assert_eq!(numbers.all(), [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(ended.all(), [(1, Stopped::Nested); 4]);
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_is_made_by_the_readied_instance() {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::standard(unmarked().marks(InExtensions)))
        .layer(RetryLayer::standard(unmarked().marks(InExtensions)))
        // Panics if an instance is called that was not ready.
        .concurrency_limit(1)
        .service_fn(|_: Request| ready(Err::<(), _>("failed")));

    assert_eq!(service.oneshot(Request::new(())).await, Err("failed"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_under_towers_retry_notices_a_layer_above() {
    let (service, numbers) = failing();
    let policy = unmarked().marks(InExtensions);
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::standard(unmarked().marks(InExtensions)))
        .retry(policy.clone())
        .service(service);

    stack.oneshot(Request::new(())).await.unwrap_err();

    assert_eq!(numbers.all(), [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!(policy.stats().retries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_says_that_it_is_nested() {
    let (service, _) = failing();
    let reasons = Heard::new();
    let told = reasons.clone();
    let inner = RetryLayer::new(unmarked().marks(InExtensions))
        .observer(move |policy, _| told.hear(policy.reason()));
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::standard(unmarked().marks(InExtensions)))
        .layer(inner)
        .service(service);

    stack.oneshot(Request::new(())).await.unwrap_err();

    assert_eq!(reasons.all(), [Some(Reason::Nested); 4]);
}

#[tokio::test(start_paused = true)]
async fn without_marks_nested_layers_multiply() {
    let (service, numbers) = failing();
    let stack = ServiceBuilder::new()
        .layer(RetryLayer::new(unmarked()))
        .layer(RetryLayer::new(unmarked()))
        .service(service);

    stack.oneshot(Request::new(())).await.unwrap_err();

    assert_eq!(numbers.all(), [None; 16]);
}

#[tokio::test(start_paused = true)]
async fn a_layer_marks_the_attempts_of_any_policy() {
    let (service, numbers) = failing();
    let layer = RetryLayer::new(unmarked()).marks(InExtensions);

    layer
        .layer(service)
        .oneshot(Request::new(()))
        .await
        .unwrap_err();

    assert_eq!(numbers.all(), [Some(1), Some(2), Some(3), Some(4)]);
}

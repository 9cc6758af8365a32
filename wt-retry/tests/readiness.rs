//! Which instance is called, when, and what it holds meanwhile.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready_err, assert_ready_ok, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_test::mock;
use wt_retry::backoff::Constant;
use wt_retry::{RetryLayer, StandardPolicy, Stopped, Verdict};

use common::{Failed, Foreign, Heard, SECOND, limited, policy};

/// Fails unless the very instance that is called was ready, as a pooled or balanced one would.
#[derive(Debug)]
struct Strict {
    instance: usize,
    made: Arc<AtomicUsize>,
    ready: bool,
    called: Heard<usize>,
    failures: usize,
}

impl Strict {
    fn new(failures: usize) -> Self {
        Self {
            instance: 0,
            made: Arc::default(),
            ready: false,
            called: Heard::new(),
            failures,
        }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            instance: self.made.fetch_add(1, Ordering::Relaxed) + 1,
            made: Arc::clone(&self.made),
            ready: false,
            called: self.called.clone(),
            failures: self.failures,
        }
    }
}

impl Service<&'static str> for Strict {
    type Response = &'static str;
    type Error = Failed;
    type Future = Ready<Result<&'static str, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: &'static str) -> Self::Future {
        assert!(self.ready, "instance {} was not ready", self.instance);
        self.ready = false;
        self.called.hear(self.instance);
        let failed = self.called.all().len() <= self.failures;
        ready(if failed {
            Err(Failed(Verdict::Retry))
        } else {
            Ok("answer")
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_readied_instance_makes_every_attempt_of_its_call() {
    let strict = Strict::new(2);
    let called = strict.called.clone();
    let mut service = RetryLayer::new(policy()).layer(strict);

    service.ready().await.unwrap().call("first").await.unwrap();
    let first = called.all();
    service.ready().await.unwrap().call("second").await.unwrap();

    assert_eq!(first, [0, 0, 0]);
    assert_eq!(called.all()[3..], [1]);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_one_attempt_is_made_by_the_readied_instance() {
    let strict = Strict::new(0);
    let called = strict.called.clone();
    let mut service = RetryLayer::new(policy().attempts(1)).layer(strict);

    for question in ["first", "second"] {
        service.ready().await.unwrap().call(question).await.unwrap();
    }

    assert_eq!(called.all(), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn readiness_is_that_of_the_service_below() {
    let (mut service, mut handle) =
        mock::spawn_layer::<_, &str, _>(RetryLayer::new(Foreign::new(0)));

    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
    drop(service.call("question"));
    handle.send_error("gone");
    assert_eq!(assert_ready_err!(service.poll_ready()).to_string(), "gone");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_gone_ends_the_call_with_its_error() {
    let ended = Heard::new();
    let told = ended.clone();
    let layer = RetryLayer::new(Foreign::new(3)).observer(move |_, end| told.hear(end.stopped));
    let (mut service, mut handle) = mock::spawn_layer::<_, &str, _>(layer);
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call("question"));

    assert_pending!(call.poll());
    let (_, answer) = handle.next_request().await.unwrap();
    answer.send_error("failed");
    assert_pending!(call.poll());
    handle.send_error("gone");

    assert!(call.is_woken());
    assert_eq!(assert_ready_err!(call.poll()).to_string(), "gone");
    assert_eq!(ended.all(), [Stopped::NotReady]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_the_service_to_be_ready() {
    let (mut service, mut handle) =
        mock::spawn_layer::<_, &str, _>(RetryLayer::new(Foreign::new(3)));
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call("question"));
    let (_, answer) = handle.next_request().await.unwrap();
    answer.send_error("failed");
    assert_pending!(call.poll());

    handle.allow(1);

    assert!(call.is_woken());
    assert_pending!(call.poll());
    let (_, answer) = handle.next_request().await.unwrap();
    answer.send_response("answer");
    assert_eq!(assert_ready_ok!(call.poll()), "answer");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_while_a_retry_sleeps() {
    // The attempt's future, its response, and the readied instance may each hold a slot.
    let slots = Arc::new(Semaphore::new(2));
    let lend = Arc::clone(&slots);
    let service = ServiceBuilder::new()
        .layer(limited(&slots))
        .service_fn(move |()| {
            let lease = Arc::clone(&lend).try_acquire_owned();
            ready(Ok::<_, ()>(lease.unwrap()))
        });
    let classify = |(): &(), _: Result<&_, &()>| Verdict::Retry;
    let policy = StandardPolicy::new(classify, Constant::new(SECOND));
    let mut service = mock::Spawn::new(RetryLayer::new(policy).layer(service));

    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call(()));
    assert_eq!(slots.available_permits(), 0);
    assert_pending!(call.poll());

    assert_eq!(slots.available_permits(), 2);
    tokio::time::advance(SECOND).await;
    assert_pending!(call.poll());
    assert_eq!(slots.available_permits(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_given_up_releases_what_it_holds() {
    let slots = Arc::new(Semaphore::new(1));
    let service = ServiceBuilder::new()
        .layer(limited(&slots))
        .service_fn(|_: &str| std::future::pending::<Result<&str, Failed>>());
    let mut service = mock::Spawn::new(RetryLayer::new(policy()).layer(service));
    assert_ready_ok!(service.poll_ready());
    let mut call = task::spawn(service.call("question"));
    assert_pending!(call.poll());
    assert_eq!(slots.available_permits(), 0);

    drop(call);

    assert_eq!(slots.available_permits(), 1);
    assert_ready_ok!(service.poll_ready());
    drop(service);
    assert_eq!(slots.available_permits(), 1);
}

#[test]
fn services_and_futures_go_where_their_parts_go() {
    fn shared<T: Clone + Send + Sync>(value: T) -> T {
        value
    }
    fn sent<T: Send>(_: &T) {}
    let service = shared(RetryLayer::new(shared(policy()))).layer(Strict::new(0));
    let mut service = shared(service);

    let mut context = Context::from_waker(std::task::Waker::noop());
    assert_ready_ok!(service.poll_ready(&mut context));
    sent(&service.call("question"));
}

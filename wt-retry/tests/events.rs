//! What `tracing` hears.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::fmt::Debug;
use std::future::ready;
use std::sync::{Arc, Mutex};

use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use wt_retry::{RetryLayer, Verdict};

use common::{Failed, Heard, SECOND, policy};

/// Keeps each event as its fields.
struct Keep(Heard<String>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        assert_eq!(*event.metadata().level(), tracing::Level::DEBUG);
        self.0.hear(fields.0.join(" "));
    }
}

struct Fields(Vec<String>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        let name = field.name();
        self.0.push(if name == "message" {
            format!("{value:?}")
        } else {
            format!("{name}={value:?}")
        });
    }
}

/// What is heard of one call that fails by `verdicts`.
async fn heard(verdicts: Vec<Verdict>) -> Vec<String> {
    let events = Heard::new();
    let subscriber = tracing_subscriber::registry().with(Keep(events.clone()));
    let guard = tracing::subscriber::set_default(subscriber);
    let verdicts = Arc::new(Mutex::new(verdicts.into_iter()));
    let service = service_fn(move |_: &'static str| {
        let verdict = verdicts.lock().unwrap().next();
        ready(verdict.map_or(Ok("answer"), |verdict| Err(Failed(verdict))))
    });
    let _ = RetryLayer::new(policy())
        .layer(service)
        .oneshot("question")
        .await;
    drop(guard);
    events.all()
}

#[tokio::test(start_paused = true)]
async fn each_retry_and_each_call_that_is_given_up_is_an_event() {
    let events = heard(vec![Verdict::Retry, Verdict::RetryAfter(31 * SECOND)]).await;

    let expected = [
        "retrying attempt=2 verdict=Retry wait=1s",
        "not retried attempts=2 reason=Hint",
        "call ended attempts=2 stopped=Policy",
    ];
    assert_eq!(events, expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_at_once_is_no_event() {
    assert!(heard(vec![]).await.is_empty());
}

//! What `tracing` hears. Alone in its process: all threads share what they know of who listens.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tower::{Layer, Service, ServiceExt};
use tracing_subscriber::layer::{Context, SubscriberExt};
use wt_health::Override;

use common::{Backend, SECOND, calls, ejected, monitor, pass};

/// Keeps each event as its level, its message and its fields.
struct Keep(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Keep {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("wt_health") {
            return;
        }
        let mut fields = Fields(vec![event.metadata().level().to_string()]);
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0.join(" "));
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

#[tokio::test(start_paused = true)]
async fn changes_are_events_of_tracing_and_calls_are_none() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let subscriber = tracing_subscriber::registry().with(Keep(Arc::clone(&heard)));
    let guard = tracing::subscriber::set_default(subscriber);
    let monitor = monitor();
    let mut well = monitor.layer("b").layer(Backend::new());
    calls(&mut well, 100).await;

    let (mut service, backend) = ejected(&monitor, "a").await;
    backend.fail(false);
    service.ready().await.unwrap().call(()).await.unwrap();
    monitor.set_override(&"a", Override::Drain);
    pass(SECOND).await;
    drop(guard);

    let expected = [
        r#"WARN backend ejected key="a" reason=Consecutive seconds=30.0"#,
        r#"DEBUG backend may prove itself key="a""#,
        r#"DEBUG backend restored key="a""#,
        r#"DEBUG backend overridden key="a" force=Some(Drain)"#,
    ];
    assert_eq!(*heard.lock().unwrap(), expected);
}

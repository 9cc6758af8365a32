//! What `tracing` hears; it has this process alone.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::fmt::Debug;
use std::iter;
use std::sync::{Arc, Mutex};

use common::{Layer1, SECOND, Server, TARGET, lend, refusal, settle};
use tokio::time::sleep;
use tower::{Layer, Service};
use tracing_subscriber::layer::{Context, SubscriberExt};

#[tokio::test(start_paused = true)]
async fn connections_come_and_go_by_their_generation_and_reason() {
    let (heard, _listening) = listen();
    let server = Server::new();
    let pool = Layer1::new(2)
        .idle_timeout(Some(10 * SECOND))
        .layer(server.maker());

    let (one, two) = (lend(&pool).await, lend(&pool).await);
    assert_eq!((one.generation(), two.generation()), (1, 2));
    one.discard();
    drop(two);
    sleep(11 * SECOND).await;
    settle().await;
    drop(pool.clone().call(TARGET + 1).await.unwrap());
    pool.close();

    let expected = [
        "connection opened generation=1",
        "connection opened generation=2",
        "connection closed generation=1 reason=Discarded",
        "connection closed generation=2 reason=Idle",
        "connection opened generation=3",
        "pool closed",
        "connection closed generation=3 reason=PoolClosed",
    ];
    assert_eq!(heard.all(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_fails_says_why_and_how_long_the_target_is_left_alone() {
    let (heard, _listening) = listen();
    let server = Server::new();
    server.refuse(true);
    let layer = Layer1::new(1).backoff(|| iter::repeat(3 * SECOND));

    let _refused = refusal(&layer.layer(server.maker())).await;

    assert_eq!(heard.all(), ["connect failed error=refused delay=3s"]);
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_of_no_use_are_told_of() {
    let (heard, _listening) = listen();
    let server = Server::new();
    server.stillborn(true);
    let layer = Layer1::new(1)
        .backoff(|| iter::repeat(20 * SECOND))
        .acquire_timeout(Some(10 * SECOND));

    let _refused = refusal(&layer.layer(server.maker())).await;

    let expected = [
        "connection opened generation=1",
        "connection closed generation=1 reason=Dead",
        "connection was of no use delay=20s",
    ];
    assert_eq!(heard.all()[..3], expected);
}

/// What is heard, as long as the second one is there.
fn listen() -> (Heard, tracing::subscriber::DefaultGuard) {
    let heard = Heard::default();
    let subscriber = tracing_subscriber::registry().with(heard.clone());
    (heard, tracing::subscriber::set_default(subscriber))
}

/// Keeps each event as its fields.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        assert_eq!(*event.metadata().level(), tracing::Level::DEBUG);
        if event.metadata().target().starts_with("wt_pool") {
            let mut fields = Fields(Vec::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0.join(" "));
        }
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

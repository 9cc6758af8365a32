use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use wt_connection::Connection;

use crate::peer::Stack;
use crate::rounds::{Stacks, compare, runtime};

/// New connections with a session each; and, beside those, our sessions on a live connection; 16 at
/// a time.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let stacks = Stacks::new();
        let ours = served(stacks.ours);
        let wtransport = served(stacks.wtransport);
        let web_transport_quinn = served(stacks.web_transport_quinn);
        let mut lines = compare(
            "connections per second, with a session each",
            "connects_per_s",
            async || connects(&ours).await,
            async || connects(&wtransport).await,
            async || connects(&web_transport_quinn).await,
        )
        .await;
        let connection = ours.connection().await;
        lines.extend(
            compare(
                "our sessions per second on a live connection, beside their connections",
                "warm_sessions_per_s",
                async || sessions(&connection).await,
                async || connects(&wtransport).await,
                async || connects(&web_transport_quinn).await,
            )
            .await,
        );
        lines
    })
}

fn served<S: Stack>(stack: S) -> Arc<S> {
    let stack = Arc::new(stack);
    stack.serve();
    stack
}

async fn connects<S: Stack>(stack: &Arc<S>) -> f64 {
    let connecting = Arc::clone(stack);
    let (rate, made) = at_once(CONNECTS, move || {
        let stack = Arc::clone(&connecting);
        async move { stack.connect().await }
    })
    .await;
    stack.close(made).await;
    rate
}

async fn sessions(connection: &Connection) -> f64 {
    let connection = connection.clone();
    let (rate, _) = at_once(SESSIONS, move || {
        let connection = connection.clone();
        async move {
            let session = connection.open("/").await.unwrap();
            session.close(0, "");
            session.closed().await;
        }
    })
    .await;
    rate
}

/// Makes so many, 16 at a time, and says how many per second.
async fn at_once<T, F>(count: usize, make: impl Fn() -> F + Clone + Send + 'static) -> (f64, Vec<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let began = Instant::now();
    let mut lanes = JoinSet::new();
    for _ in 0..AT_ONCE {
        let make = make.clone();
        lanes.spawn(async move {
            let mut made = Vec::new();
            for _ in 0..count / AT_ONCE {
                made.push(make().await);
            }
            made
        });
    }
    let made = lanes.join_all().await;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    (rate, made.into_iter().flatten().collect())
}

const AT_ONCE: usize = 16;
const CONNECTS: usize = 480;
const SESSIONS: usize = 8_000;

use std::sync::Arc;

use crate::both::Stack;
use crate::common::connects::{CONNECTS, at_once, sessions};
use crate::common::rounds::runtime;
use crate::rounds::{Stacks, compare};

/// New connections with a session each; and, beside those, our sessions on a live connection; 16 at
/// a time.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let stacks = Stacks::new();
        let ours = stacks.ours.serve();
        let wtransport = stacks.wtransport.serve();
        let web_transport_quinn = stacks.web_transport_quinn.serve();
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

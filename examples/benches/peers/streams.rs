use crate::both::{Both, Stack};
use crate::common::rounds::runtime;
use crate::common::streams::{run, serve};
use crate::rounds::{Stacks, compare};

/// Streams there and back.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let mut stacks = Stacks::new();
        let ours = served(&mut stacks.ours).await;
        let wtransport = served(&mut stacks.wtransport).await;
        let web_transport_quinn = served(&mut stacks.web_transport_quinn).await;
        compare(
            "streams per second",
            "streams_per_s",
            async || run(&ours).await,
            async || run(&wtransport).await,
            async || run(&web_transport_quinn).await,
        )
        .await
    })
}

/// A client of a server that sends back what comes.
async fn served<S: Stack>(both: &mut Both<S>) -> Vec<S::Peer> {
    let (client, server) = both.session().await;
    serve(vec![server]);
    vec![client]
}

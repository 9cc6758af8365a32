use std::sync::Arc;

use crate::both::{Both, Stack};
use crate::common::datagrams::{Count, run};
use crate::common::rounds::runtime;
use crate::rounds::{Stacks, compare};

/// Datagrams one way.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let mut stacks = Stacks::new();
        let ours = counted(&mut stacks.ours).await;
        let wtransport = counted(&mut stacks.wtransport).await;
        let web_transport_quinn = counted(&mut stacks.web_transport_quinn).await;
        compare(
            "datagrams per second",
            "datagrams_per_s",
            async || run(&ours.0, &ours.1).await,
            async || run(&wtransport.0, &wtransport.1).await,
            async || run(&web_transport_quinn.0, &web_transport_quinn.1).await,
        )
        .await
    })
}

/// A client, and what its server has counted.
async fn counted<S: Stack>(both: &mut Both<S>) -> (Vec<S::Peer>, Arc<Count>) {
    let (client, server) = both.session().await;
    (vec![client], Count::of(vec![server]))
}

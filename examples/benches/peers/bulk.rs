use crate::common::bulk;
use crate::common::rounds::runtime;
use crate::rounds::{Stacks, compare};

/// Bytes on one stream.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let mut stacks = Stacks::new();
        let ours = stacks.ours.session().await;
        let wtransport = stacks.wtransport.session().await;
        let web_transport_quinn = stacks.web_transport_quinn.session().await;
        compare(
            "bytes per second, one stream",
            "bulk_bytes_per_s",
            async || bulk::run(&ours.0, &ours.1).await,
            async || bulk::run(&wtransport.0, &wtransport.1).await,
            async || bulk::run(&web_transport_quinn.0, &web_transport_quinn.1).await,
        )
        .await
    })
}

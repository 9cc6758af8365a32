use bytes::Bytes;
use tokio::time::Instant;

use crate::peer::{Peer, Receiving, Sending, Stack};
use crate::rounds::{Stacks, compare, runtime};

/// Sends one stream in writes of 256 KiB.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let stacks = Stacks::new();
        let ours = stacks.ours.session().await;
        let wtransport = stacks.wtransport.session().await;
        let web_transport_quinn = stacks.web_transport_quinn.session().await;
        compare(
            "bytes per second, one stream",
            "bulk_bytes_per_s",
            async || run(&ours).await,
            async || run(&wtransport).await,
            async || run(&web_transport_quinn).await,
        )
        .await
    })
}

async fn run<P: Peer>((client, server): &(P, P)) -> f64 {
    let chunk = Bytes::from(vec![7; CHUNK]);
    let server = server.clone();
    let began = Instant::now();
    let counted = tokio::spawn(async move {
        let mut recv = server.accept_uni().await.unwrap();
        let mut received = 0;
        while let Some(chunk) = recv.read_chunk().await {
            received += chunk.len();
        }
        received
    });
    let mut send = client.open_uni().await;
    for _ in 0..CHUNKS {
        send.write_chunk(chunk.clone()).await;
    }
    send.finish();
    let received = counted.await.unwrap();
    assert_eq!(received, CHUNKS * CHUNK);
    received as f64 / began.elapsed().as_secs_f64()
}

const CHUNK: usize = 256 * 1024;
const CHUNKS: usize = 400;

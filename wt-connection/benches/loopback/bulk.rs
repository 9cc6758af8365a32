use bytes::Bytes;
use tokio::time::Instant;

use crate::pair::Tls;
use crate::peer::{Peer, Receiving, Sending};
use crate::rounds::{compare, runtime};

/// Sends one stream in writes of 256 KiB.
pub(crate) fn measure() -> Vec<String> {
    let ratio = runtime().block_on(async {
        let tls = Tls::new();
        let (ours, bare) = (tls.ours(), tls.bare());
        let (clients, servers) = ours.sessions(1).await;
        let (client, server) = bare.connection().await;
        compare(
            "bytes per second, one stream",
            async || run(&clients[0], &servers[0]).await,
            async || run(&client, &server).await,
        )
        .await
    });
    vec![format!("ratio bulk_bytes_per_s {ratio:.3}")]
}

async fn run<P: Peer>(client: &P, server: &P) -> f64 {
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
const CHUNKS: usize = 800;

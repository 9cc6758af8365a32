use bytes::Bytes;
use tokio::time::Instant;

use crate::common::peer::{Peer, Receiving, Sending};

/// Sends one stream in writes of 256 KiB; gives the bytes per second.
pub(crate) async fn run<P: Peer>(client: &P, server: &P) -> f64 {
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

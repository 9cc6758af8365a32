use bytes::Bytes;
use tokio::time::Instant;

use crate::pair::{Ours, Tls};
use crate::peer::{Peer, Receiving, Sending};
use crate::rounds::{compare, runtime};

/// Sends one stream in writes of 256 KiB.
pub(crate) fn measure() -> Vec<String> {
    let one = runtime().block_on(ratio(1, Tls::ours));
    let uncontrolled = runtime().block_on(ratio(1, Tls::ours_uncontrolled));
    let many = runtime().block_on(ratio(100, Tls::ours));
    vec![
        format!("ratio bulk_bytes_per_s {one:.3}"),
        format!("ratio bulk_bytes_per_s_without_flow_control {uncontrolled:.3}"),
        format!("ratio bulk_bytes_per_s_100_sessions {many:.3}"),
    ]
}

/// Of so many sessions, one sends.
async fn ratio(sessions: usize, ours: fn(&Tls) -> Ours) -> f64 {
    let tls = Tls::new();
    let (ours, bare) = (ours(&tls), tls.bare());
    let (clients, servers) = ours.sessions(sessions).await;
    let (client, server) = bare.connection().await;
    compare(
        &format!("bytes per second, one stream, {sessions} sessions"),
        async || run(&clients[0], &servers[0]).await,
        async || run(&client, &server).await,
    )
    .await
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

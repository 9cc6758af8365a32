use tokio::time::Instant;

use crate::common::peer::{Peer, Receiving, Sending};

/// Sends back what comes.
pub(crate) fn serve<P: Peer>(peers: Vec<P>) {
    for peer in peers {
        tokio::spawn(async move {
            while let Some((mut send, mut recv)) = peer.accept_bi().await {
                tokio::spawn(async move {
                    let received = recv.read_to_end().await;
                    send.write_all(&received).await;
                    send.finish();
                });
            }
        });
    }
}

/// Opens bidirectional streams, sends 64 bytes there and back, and closes them; 64 tasks; gives how
/// many per second.
pub(crate) async fn run<P: Peer>(peers: &[P]) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(ask(peers.to_vec(), task)))
        .collect();
    let mut received = 0;
    for task in tasks {
        received += task.await.unwrap();
    }
    assert_eq!(received, TASKS * STREAMS * PAYLOAD.len());
    (TASKS * STREAMS) as f64 / began.elapsed().as_secs_f64()
}

async fn ask<P: Peer>(peers: Vec<P>, task: usize) -> usize {
    let mut received = 0;
    for stream in 0..STREAMS {
        let peer = &peers[(task + stream * TASKS) % peers.len()];
        let (mut send, mut recv) = peer.open_bi().await;
        send.write_all(&PAYLOAD).await;
        send.finish();
        received += recv.read_to_end().await.len();
    }
    received
}

const TASKS: usize = 64;
const STREAMS: usize = 250;
const PAYLOAD: [u8; 64] = [7; 64];

use tokio::time::Instant;

use crate::peer::{Peer, Receiving, Sending, Stack};
use crate::rounds::{Stacks, compare, runtime};

/// Opens bidirectional streams, sends 64 bytes there and back, and closes them; 64 tasks.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        let stacks = Stacks::new();
        let ours = served(&stacks.ours).await;
        let wtransport = served(&stacks.wtransport).await;
        let web_transport_quinn = served(&stacks.web_transport_quinn).await;
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
async fn served<S: Stack>(stack: &S) -> S::Peer {
    let (client, server) = stack.session().await;
    tokio::spawn(async move {
        while let Some((mut send, mut recv)) = server.accept_bi().await {
            tokio::spawn(async move {
                let received = recv.read_to_end().await;
                send.write_all(&received).await;
                send.finish();
            });
        }
    });
    client
}

async fn run<P: Peer>(peer: &P) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| tokio::spawn(ask(peer.clone())))
        .collect();
    let mut received = 0;
    for task in tasks {
        received += task.await.unwrap();
    }
    assert_eq!(received, TASKS * STREAMS * PAYLOAD.len());
    (TASKS * STREAMS) as f64 / began.elapsed().as_secs_f64()
}

async fn ask<P: Peer>(peer: P) -> usize {
    let mut received = 0;
    for _ in 0..STREAMS {
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

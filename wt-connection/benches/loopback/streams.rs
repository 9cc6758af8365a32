use tokio::time::Instant;

use crate::pair::{Ours, Tls};
use crate::peer::{Peer, Receiving, Sending};
use crate::rounds::{compare, runtime};

/// Opens bidirectional streams, sends 64 bytes there and back, and closes them; 64 tasks.
pub(crate) fn measure() -> Vec<String> {
    let one = runtime().block_on(ratio(1, Tls::ours));
    let uncontrolled = runtime().block_on(ratio(1, Tls::ours_uncontrolled));
    let many = runtime().block_on(ratio(100, Tls::ours));
    vec![
        format!("ratio streams_per_s {one:.3}"),
        format!("ratio streams_per_s_without_flow_control {uncontrolled:.3}"),
        format!("ratio streams_per_s_100_sessions {many:.3}"),
    ]
}

async fn ratio(sessions: usize, ours: fn(&Tls) -> Ours) -> f64 {
    let tls = Tls::new();
    let (ours, bare) = (ours(&tls), tls.bare());
    let (clients, servers) = ours.sessions(sessions).await;
    let (client, server) = bare.connection().await;
    serve(servers);
    serve(vec![server]);
    let quinn = vec![client];
    let what = format!("streams per second, {sessions} sessions");
    compare(
        &what,
        async || run(&clients).await,
        async || run(&quinn).await,
    )
    .await
}

fn serve<P: Peer>(peers: Vec<P>) {
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

async fn run<P: Peer>(peers: &[P]) -> f64 {
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

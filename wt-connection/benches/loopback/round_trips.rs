use std::time::Duration;

use tokio::time::Instant;

use crate::pair::Tls;
use crate::peer::{Peer, Receiving, Sending};
use crate::relay::Relay;
use crate::rounds::{ROUNDS, median, runtime};

/// How long the first echo takes over a path with a delay of 20 ms each way, in round trips.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        println!("\nround trips until the first echo\n\n| round | ours | warm | quinn |");
        println!("| --- | --- | --- | --- |");
        let (mut new, mut warm, mut anchor) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (first, second) = ours().await;
            let quinn = bare().await;
            println!("| {round} | {first:.2} | {second:.2} | {quinn:.2} |");
            new.push(first);
            warm.push(second);
            anchor.push(quinn);
        }
        vec![
            format!("value round_trips_to_first_echo {:.2}", median(new)),
            format!("value round_trips_warm {:.2}", median(warm)),
            format!(
                "value round_trips_to_first_echo_quinn {:.2}",
                median(anchor)
            ),
        ]
    })
}

/// On a new connection, and with another session on it.
async fn ours() -> (f64, f64) {
    let ours = Tls::new().ours();
    let server = ours.server.clone();
    tokio::spawn(async move {
        let connection = server.accept().await.unwrap().await.unwrap();
        while let Ok(request) = connection.accept().await {
            tokio::spawn(async move { echo(request.accept().await.unwrap()).await });
        }
    });
    let relay = Relay::new(ours.address(), DELAY).await;
    let began = Instant::now();
    let connection = ours.connect_to(relay.address).await;
    let session = connection.open("/").await.unwrap();
    ask(&session).await;
    let first = round_trips(began);
    let began = Instant::now();
    let session = connection.open("/").await.unwrap();
    ask(&session).await;
    (first, round_trips(began))
}

async fn bare() -> f64 {
    let bare = Tls::new().bare();
    let server = bare.server.clone();
    tokio::spawn(async move { echo(server.accept().await.unwrap().await.unwrap()).await });
    let relay = Relay::new(bare.address(), DELAY).await;
    let began = Instant::now();
    let connection = bare.connect_to(relay.address).await;
    ask(&connection).await;
    round_trips(began)
}

async fn ask<P: Peer>(peer: &P) {
    let (mut send, mut recv) = peer.open_bi().await;
    send.write_all(PAYLOAD).await;
    send.finish();
    assert_eq!(recv.read_to_end().await, PAYLOAD);
}

async fn echo<P: Peer>(peer: P) {
    while let Some((mut send, mut recv)) = peer.accept_bi().await {
        send.write_all(&recv.read_to_end().await).await;
        send.finish();
    }
}

fn round_trips(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() / (2.0 * DELAY.as_secs_f64())
}

const DELAY: Duration = Duration::from_millis(20);
const PAYLOAD: &[u8] = &[7; 64];

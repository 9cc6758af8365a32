use std::time::Duration;

use tokio::time::Instant;
use wt_connection::{Connection, Session};

use crate::common::peer::{Peer, Receiving, Sending};
use crate::common::rounds::{median, runtime};
use crate::common::tls::Tls;
use crate::pair::{Bare, Ours};
use crate::relay::Relay;
use crate::rounds::ROUNDS;

/// How long the first echo takes over a path with a delay of 20 ms each way, in round trips.
pub(crate) fn measure() -> Vec<String> {
    runtime().block_on(async {
        println!("\nround trips until the first echo\n");
        println!("| round | ours | warm | optimistic | warm | quinn |");
        println!("| --- | --- | --- | --- | --- | --- |");
        let mut figures: [Vec<f64>; 5] = Default::default();
        for round in 0..ROUNDS {
            let (new, warm) = ours(false).await;
            let (early, early_warm) = ours(true).await;
            let row = [new, warm, early, early_warm, bare().await];
            let cells = row.map(|trips| format!("{trips:.2}")).join(" | ");
            println!("| {round} | {cells} |");
            for (figure, trips) in figures.iter_mut().zip(row) {
                figure.push(trips);
            }
        }
        let names = [
            "to_first_echo",
            "warm",
            "optimistic",
            "optimistic_warm",
            "to_first_echo_quinn",
        ];
        let line = |(name, trips)| format!("value round_trips_{name} {:.2}", median(trips));
        names.into_iter().zip(figures).map(line).collect()
    })
}

/// On a new connection, and with another session on it; `early` ones do not wait for the answer.
async fn ours(early: bool) -> (f64, f64) {
    let ours = Ours::new(&Tls::new());
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
    let _first = open_and_ask(&connection, early).await;
    let first = round_trips(began);
    let began = Instant::now();
    let _second = open_and_ask(&connection, early).await;
    (first, round_trips(began))
}

async fn open_and_ask(connection: &Connection, early: bool) -> Session {
    if !early {
        let session = connection.open("/").await.unwrap();
        ask(&session).await;
        return session;
    }
    let request = http::Request::get("/").body(()).unwrap();
    let early = connection.open_early(request).await.unwrap();
    ask(early.session()).await;
    early.accepted().await.unwrap().into_body()
}

async fn bare() -> f64 {
    let bare = Bare::new(&Tls::new());
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

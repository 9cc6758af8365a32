//! Many connections at once, each of which does its worst, and one that must notice none of it.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::address;
use common::bare::{self, goaway};
use common::hostile::{Beside, Bystander};
use common::raw::{
    self, ENABLED, Raw, close_capsule, data, drain_capsule, frame, settings, varint,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wt_connection::Limits;

/// How many do their worst at once.
const CROWD: usize = 64;
/// How often each does.
const TIMES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_does_its_worst_costs_one_good_connection_no_call() {
    let limits = Limits::default().header_timeout(Duration::from_secs(2));
    let bystander = Bystander::new(limits).await;
    let root = bystander.served.identity.certificate_chain()[0].clone();
    let socket = bare::client(root);
    let server = address(&bystander.served.endpoint);
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let connecting = socket.connect(server, "localhost").unwrap();
        let socket = socket.clone();
        crowd.spawn(async move {
            let quic = connecting.await.unwrap();
            let attack = timeout(Duration::from_secs(5), attack(number % 16, quic, socket));
            attack.await.is_ok()
        });
    }

    let (mut calls, mut attacked) = (0, 0);
    while !crowd.is_empty() {
        let good = timeout(Duration::from_secs(8), bystander.unharmed());
        good.await.expect("a call is answered in time");
        calls += 1;
        while let Some(done) = crowd.try_join_next() {
            // Those that did not come to their end are no measure of what the server bears.
            attacked += usize::from(matches!(done, Ok(true)));
        }
    }

    assert!(calls > 1, "{calls}");
    assert!(
        attacked > CROWD / 2,
        "{attacked} did all that they had in mind"
    );
    bystander.unharmed().await;
}

/// Does what this number stands for until it is done, or panics as the connection ends.
async fn attack(number: usize, quic: quinn::Connection, socket: quinn::Endpoint) {
    match number {
        // Each of these ends the connection at once.
        0 => write(&quic, &[0x00, 0x00, 0x01]).await,
        1 => write(&quic, &settings(&[(0x02, 1)])).await,
        2 => write(&quic, &varint(1)).await,
        // Says nothing, and then half of something.
        3 => drop(quic.closed().await),
        4 => write(&quic, &[&[0x00][..], &settings(&ENABLED)[..4]].concat()).await,
        _ => {
            let mut peer = raw::start(quic, socket, &ENABLED).await;
            for round in 0..TIMES {
                worst(number, round, &mut peer).await;
            }
        }
    }
}

async fn worst(number: usize, round: usize, peer: &mut Raw) {
    match number {
        5 => drop(peer.uni(4 * round as u64 + (1 << 40), &[7; 1000]).await),
        6 => give_up(peer, round).await,
        7 => ask(peer, &frame(0x01, &[0, 0, 0x80])).await,
        8 => open(peer, &data(&drain_capsule()).repeat(1000)).await,
        9 => {
            let claim = [varint(0x17), varint((1 << 62) - 1)].concat();
            open(peer, &[data(&claim), data(&[7; 50_000])].concat()).await;
        }
        10 => open(peer, &data(&close_capsule(7, &[0xff; 2000]))).await,
        11 => keep_back(peer).await,
        12 => {
            for id in 0..100 {
                peer.datagram(4 * id, &[7; 1000]);
            }
            tokio::task::yield_now().await;
        }
        13 => {
            let bomb = [&[0, 0][..], &[0xd1; 15_000]].concat();
            ask(peer, &frame(0x01, &bomb)).await;
        }
        14 => {
            let bad = [raw::request("POST", "/", &[]), frame(0x06, &[0; 8])].concat();
            ask(peer, &bad).await;
        }
        _ => {
            let flood = [goaway(0).repeat(10_000), frame(0x21, &[7; 10_000])].concat();
            peer.control.write_all(&flood).await.unwrap();
        }
    }
}

/// Asks for a session, and gives it up: in turn at once, so that the request may never leave, and
/// behind the answer.
async fn give_up(peer: &Raw, round: usize) {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(&raw::connect("/")).await.unwrap();
    if round % 2 == 1 {
        let _ = recv.read_chunk(1, true).await;
    }
    send.reset(7_u8.into()).unwrap();
}

/// Sends this as a request, and waits for what comes of it.
async fn ask(peer: &Raw, request: &[u8]) {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(request).await.unwrap();
    let _ = recv.read_to_end(1000).await;
}

/// Opens a session, and sends this on its stream.
async fn open(peer: &Raw, content: &[u8]) {
    let mut session = Beside::open(peer).await;
    session.send.write_all(content).await.unwrap();
}

/// Opens streams that do not say what they are: in the end as many as there may be.
async fn keep_back(peer: &Raw) {
    let mut uni = peer.quic.open_uni().await.unwrap();
    uni.write_all(&[0x40]).await.unwrap();
    let (mut bi, recv) = peer.quic.open_bi().await.unwrap();
    bi.write_all(&[0x40]).await.unwrap();
    tokio::spawn(async move {
        let _ = tokio::join!(uni.stopped(), bi.stopped());
        drop(recv);
    });
}

/// Writes this as a control stream, and waits until that ends the connection.
async fn write(quic: &quinn::Connection, bytes: &[u8]) {
    let mut control = quic.open_uni().await.unwrap();
    control.write_all(bytes).await.unwrap();
    quic.closed().await;
}

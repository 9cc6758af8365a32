//! What a peer does as fast as it can, which must neither grow with its number nor hold up others.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::cell::Cell;
use std::time::Duration;

use common::address;
use common::bare;
use common::hostile::{Beside, Bystander, ROLES, Rig, Role, code};
use common::raw::{self, H3_REQUEST_CANCELLED, data};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use wt_connection::Limits;

/// How often each is done first; then four times as often.
const FEW: usize = 1_000;
/// What memory may differ by whatever is done: so much is far less than a kilobyte for each.
const ROOM: usize = 6 << 20;

#[tokio::test]
async fn streams_that_are_reset_at_once_grow_nothing() {
    for role in ROLES {
        flood(role, async |rig, count| {
            rig.accept_all();
            for number in 0..count {
                let mut uni = rig.peer.quic.open_uni().await.unwrap();
                let (mut bi, mut recv) = rig.peer.quic.open_bi().await.unwrap();
                // Nothing, half a header, a header, and content.
                let header = [&raw::uni_header(rig.id())[..], b"content"].concat();
                let bi_header = [&raw::bi_header(rig.id())[..], b"content"].concat();
                let length = [0, 1, 3, 10][number % 4];
                uni.write_all(&header[..length.min(header.len())])
                    .await
                    .unwrap();
                bi.write_all(&bi_header[..length.min(bi_header.len())])
                    .await
                    .unwrap();
                if number % 8 < 4 {
                    tokio::task::yield_now().await;
                }
                uni.reset(7_u8.into()).unwrap();
                bi.reset(7_u8.into()).unwrap();
                recv.stop(7_u8.into()).unwrap();
            }
        })
        .await;
    }
}

#[tokio::test]
async fn streams_of_sessions_that_are_gone_or_never_come_grow_nothing() {
    for role in ROLES {
        flood(role, async |rig, count| {
            for number in 0..count {
                let never = (1 << 60) + 4 * number as u64;
                let unreset = rig.peer.uni(never, b"content").await;
                drop(unreset);
                drop(rig.peer.bi(never, b"content").await);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn datagrams_of_sessions_that_never_come_grow_nothing() {
    for role in ROLES {
        flood(role, async |rig, count| {
            for number in 0..count {
                for _ in 0..4 {
                    let id = (1 << 60) + 4 * number as u64;
                    let datagram = [raw::varint(id / 4), vec![7; 1000]].concat();
                    let sent = rig.peer.quic.send_datagram_wait(datagram.into());
                    sent.await.unwrap();
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn datagrams_that_nobody_reads_grow_nothing() {
    flood(Role::Client, async |rig, count| {
        for _ in 0..4 * count {
            let datagram = [raw::varint(rig.id() / 4), vec![7; 1000]].concat();
            let sent = rig.peer.quic.send_datagram_wait(datagram.into());
            sent.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_reset_at_once_grow_nothing() {
    flood(Role::Server, async |rig, count| {
        for number in 0..count {
            let head = match number % 3 {
                0 => raw::connect("/"),
                1 => raw::request("GET", "/", &[]),
                _ => [raw::request("POST", "/", &[]), data(b"some")].concat(),
            };
            let (mut send, mut recv) = rig.peer.quic.open_bi().await.unwrap();
            send.write_all(&head).await.unwrap();
            if number % 8 < 4 {
                tokio::task::yield_now().await;
            }
            send.reset(code(H3_REQUEST_CANCELLED)).unwrap();
            recv.stop(code(H3_REQUEST_CANCELLED)).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn requests_that_break_the_rules_grow_nothing() {
    flood(Role::Server, async |rig, count| {
        for number in 0..count {
            let bytes = match number % 4 {
                0 => raw::headers(&[(":method", "CONNECT"), (":protocol", "webtransport")]),
                1 => raw::headers(&[(":method", "GET")]),
                2 => raw::connect_by("websocket", "/"),
                // Content that may not be, for which the service gives its request up.
                _ => [raw::request("POST", "/", &[]), raw::frame(0x03, &[0])].concat(),
            };
            let (mut send, mut recv) = rig.peer.quic.open_bi().await.unwrap();
            send.write_all(&bytes).await.unwrap();
            send.finish().unwrap();
            let _ = recv.read_to_end(1000).await;
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_that_are_opened_and_closed_grow_nothing() {
    flood(Role::Server, async |rig, count| {
        for number in 0..count / 4 {
            let Beside { mut send, mut recv } = Beside::open(&rig.peer).await;
            drop(rig.peer.uni(send.id().into(), b"content").await);
            if number % 2 == 0 {
                send.write_all(&data(&raw::close_capsule(7, b"over")))
                    .await
                    .unwrap();
            }
            send.finish().unwrap();
            let _ = recv.read_to_end(1000).await;
        }
    })
    .await;
}

#[tokio::test]
async fn connections_that_break_the_rules_grow_nothing() {
    let _alone = ALONE.lock().await;
    let bystander = Bystander::new(Limits::default()).await;
    let root = bystander.served.identity.certificate_chain()[0].clone();
    let socket = bare::client(root);
    let server = address(&bystander.served.endpoint);
    let many = async |count| {
        for _ in 0..count {
            let quic = socket.connect(server, "localhost").unwrap().await.unwrap();
            let _control = bare::open_control(&quic, &[(0x02, 0)]).await;
            quic.closed().await;
        }
        bystander.unharmed().await;
    };
    many(100).await;
    let before = resident();

    many(400).await;

    let grown = resident().saturating_sub(before);
    assert!(grown < ROOM, "{grown} bytes more");
}

/// Does what `attack` does, so many times, then four times as many, while others go on.
async fn flood(role: Role, attack: impl AsyncFn(&Rig, usize)) {
    let _alone = ALONE.lock().await;
    let bystander = Bystander::new(Limits::default()).await;
    let rig = Rig::new(&bystander, role).await;
    let done = Cell::new(false);
    let others = async {
        while !done.get() {
            bystander.unharmed().await;
            rig.other_lives().await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    let attacks = async {
        attack(&rig, FEW).await;
        let few = resident();
        attack(&rig, 4 * FEW).await;
        done.set(true);
        (few, resident())
    };

    let both = timeout(Duration::from_secs(60), async {
        tokio::join!(attacks, others)
    });
    let ((few, many), ()) = both.await.unwrap();

    rig.other_lives().await;
    bystander.unharmed().await;
    let grown = many.saturating_sub(few);
    assert!(grown < ROOM, "{role:?}: {few} bytes, then {many}");
}

/// How much of this process is in memory, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Memory is the whole process's, so that its tests take turns.
static ALONE: Mutex<()> = Mutex::const_new(());

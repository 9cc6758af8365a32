//! What a peer does as fast as it can, which must neither grow with its number nor hold up others.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use allocation_counter::measure;
use common::address;
use common::bare;
use common::bounded::{until, within};
use common::hostile::{Beside, Bystander, ROLES, Rig, Role, code};
use common::raw::{self, H3_REQUEST_CANCELLED, data};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use wt_connection::Limits;

/// How often each is done at once, beside what others do.
const PART: usize = 250;
/// How often that comes before anything is counted, so that what keeps its size has it by then.
const BEFORE: usize = 8;
const COUNTED: usize = 16;
/// By how many bytes memory may differ behind it: 64 for each time.
const ROOM: i64 = 64 * (COUNTED * PART) as i64;

#[test]
fn streams_that_are_reset_at_once_grow_nothing() {
    for role in ROLES {
        flood(role, &async |rig, count| {
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
        });
    }
}

#[test]
fn streams_of_sessions_that_are_gone_or_never_come_grow_nothing() {
    for role in ROLES {
        flood(role, &async |rig, count| {
            for number in 0..count {
                let never = (1 << 60) + 4 * number as u64;
                let unreset = rig.peer.uni(never, b"content").await;
                drop(unreset);
                drop(rig.peer.bi(never, b"content").await);
            }
        });
    }
}

#[test]
fn datagrams_of_sessions_that_never_come_grow_nothing() {
    for role in ROLES {
        flood(role, &async |rig, count| {
            for number in 0..count {
                for _ in 0..4 {
                    let id = (1 << 60) + 4 * number as u64;
                    let datagram = [raw::varint(id / 4), vec![7; 1000]].concat();
                    let sent = rig.peer.quic.send_datagram_wait(datagram.into());
                    sent.await.unwrap();
                }
            }
        });
    }
}

#[test]
fn datagrams_that_nobody_reads_grow_nothing() {
    flood(Role::Client, &async |rig, count| {
        for _ in 0..4 * count {
            let datagram = [raw::varint(rig.id() / 4), vec![7; 1000]].concat();
            let sent = rig.peer.quic.send_datagram_wait(datagram.into());
            sent.await.unwrap();
        }
    });
}

#[test]
fn requests_that_are_reset_at_once_grow_nothing() {
    flood(Role::Server, &async |rig, count| {
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
    });
}

#[test]
fn requests_that_break_the_rules_grow_nothing() {
    flood(Role::Server, &async |rig, count| {
        for number in 0..count {
            let bytes = match number % 4 {
                0 => raw::headers(&[(":method", "CONNECT"), (":protocol", "webtransport")]),
                1 => raw::headers(&[(":method", "GET")]),
                2 => raw::connect_by("websocket", "/"),
                // Content that may not be, for which the service gives its request up.
                _ => {
                    let head = raw::request("POST", "/", &[("content-length", "1")]);
                    [head, data(b"more")].concat()
                }
            };
            let (mut send, mut recv) = rig.peer.quic.open_bi().await.unwrap();
            send.write_all(&bytes).await.unwrap();
            send.finish().unwrap();
            let _ = recv.read_to_end(1000).await;
        }
    });
}

#[test]
fn sessions_that_are_opened_and_closed_grow_nothing() {
    flood(Role::Server, &async |rig, count| {
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
    });
}

#[test]
fn connections_that_break_the_rules_grow_nothing() {
    let runtime = runtime();
    let (bystander, socket) = runtime.block_on(async {
        let bystander = Bystander::new(Limits::default()).await;
        let root = bystander.served.identity.certificate_chain()[0].clone();
        (bystander, bare::client(root))
    });
    let server = address(&bystander.served.endpoint);
    let before = bystander.served.endpoint.open_connections();
    let many = async |count| {
        for _ in 0..count {
            let quic = socket.connect(server, "localhost").unwrap().await.unwrap();
            let _control = bare::open_control(&quic, &[(0x02, 0)]).await;
            quic.closed().await;
        }
        bystander.unharmed().await;
        // QUIC remembers a connection for some time behind its end.
        let open = || bystander.served.endpoint.open_connections();
        within(until(|| socket.open_connections() == 0 && open() == before)).await;
    };
    runtime.block_on(many(200));

    let allocated = measure(|| runtime.block_on(many(400)));

    // Ten times as much for each, of which there are a tenth.
    let grown = allocated.bytes_current;
    assert!(grown < ROOM, "{grown} bytes more");
}

/// Does what `attack` does, part by part, while others go on, and counts what is left behind by
/// what is done later.
fn flood(role: Role, attack: &impl AsyncFn(&Rig, usize)) {
    let runtime = runtime();
    let (bystander, rig) = runtime.block_on(async {
        let bystander = Bystander::new(Limits::default()).await;
        let rig = Rig::new(&bystander, role).await;
        (bystander, rig)
    });
    let parts = async |count| {
        for _ in 0..count {
            let others = async {
                bystander.unharmed().await;
                rig.other_lives().await;
            };
            tokio::join!(attack(&rig, PART), others);
            // What was attacked has come to an end.
            rig.other_lives().await;
        }
        // Datagrams may be behind that.
        for _ in 0..TURNS {
            rig.other_lives().await;
        }
    };
    let run = |count| {
        let done = async { timeout(Duration::from_secs(60), Box::pin(parts(count))).await };
        runtime.block_on(done).unwrap();
    };
    run(BEFORE);

    let allocated = measure(|| run(COUNTED));

    let grown = allocated.bytes_current;
    assert!(grown < ROOM, "{role:?}: {grown} bytes more");
}

/// So often the other side has its turn until what was sent has arrived.
const TURNS: usize = 32;

/// One whose tasks all run in this thread, whose memory is counted.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

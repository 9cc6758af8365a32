//! Peers that begin something and take for ever over it, at each stage of a connection.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::bounded::{cancel, once, within};
use common::hostile::{Beside, Bystander, ROLES, Rig, Role};
use common::path::{Way, delay_between, stand_between};
use common::plain::{Exchange, converse};
use common::raw::{self, ENABLED, H3_REQUEST_CANCELLED, data, reset_code, settings};
use common::{LOOPBACK, address, bare, target};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tower::ServiceExt;
use wt_connection::{ConnectError, Connection, Connections, Limits};

const LIMIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn clients_that_say_no_more_than_their_first_packet_free_their_places() {
    within(async {
        let connections = Connections::new().max_connections(21);
        let kept = connections.clone();
        let bystander = Bystander::with(patient(), |server| server.connections(kept)).await;
        let server = address(&bystander.served.endpoint);
        let mut sockets = Vec::new();

        for _ in 0..20 {
            let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
            let first = first_packet().await;
            socket.send_to(&first, server).await.unwrap();
            sockets.push(socket);
        }
        bystander.unharmed().await;

        // Whoever does not get in waits no longer than that.
        admitted(&bystander).await.open("/").await.unwrap();
        assert!(connections.stats().refused > 0, "there was no room");
        bystander.unharmed().await;
    })
    .await;
}

/// They answer the server's first flight, and never finish the handshake.
#[tokio::test]
async fn clients_that_do_not_finish_their_handshake_free_their_places() {
    within(async {
        let connections = Connections::new().max_connections(21);
        let kept = connections.clone();
        let bystander = Bystander::with(patient(), |server| server.connections(kept)).await;
        let server = address(&bystander.served.endpoint);
        let mut clients = JoinSet::new();
        let lost = Arc::new(AtomicUsize::new(0));

        for _ in 0..20 {
            let path = stand_between(server, first_flight_alone(Arc::clone(&lost))).await;
            let connector = bystander.connector.clone().connect_timeout(20 * LIMIT);
            clients.spawn(connector.oneshot(path.into()));
            // Each has heard the server by then.
            let before = lost.load(Ordering::Relaxed);
            while lost.load(Ordering::Relaxed) == before {
                sleep(LIMIT / 100).await;
            }
        }
        bystander.unharmed().await;

        admitted(&bystander).await.open("/").await.unwrap();
        assert!(connections.stats().refused > 0, "there was no room");
        bystander.unharmed().await;
    })
    .await;
}

/// Connects anew as long as there is no room.
async fn admitted(bystander: &Bystander) -> Connection {
    loop {
        let connector = bystander.connector.clone();
        match connector.oneshot(target(&bystander.served.endpoint)).await {
            Ok(client) => return client,
            Err(error) => assert!(matches!(error, ConnectError::Refused), "{error:?}"),
        }
    }
}

/// Lets of a client's packets nothing pass behind the server's answer, and counts what does not.
fn first_flight_alone(lost: Arc<AtomicUsize>) -> impl FnMut(&[u8], Way) -> Vec<Vec<u8>> {
    let mut answered = false;
    move |packet, way| {
        answered |= way == Way::Down;
        if way == Way::Down || !answered {
            return vec![packet.to_vec()];
        }
        lost.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    }
}

#[tokio::test]
async fn clients_that_take_for_ever_over_their_settings_are_let_go_in_time() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        // No control stream, half its type, no SETTINGS, half of them.
        let whole = [&[0x40, 0x00][..], &settings(&ENABLED)].concat();
        let mut clients = JoinSet::new();
        for length in [0, 1, 2, 3, whole.len() - 1] {
            let foe = bystander.foe(Role::Server).await;
            let mut control = foe.quic.open_uni().await.unwrap();
            control.write_all(&whole[..length]).await.unwrap();
            clients.spawn(async move {
                let began = Instant::now();
                foe.close_code().await;
                drop(control);
                (length, began.elapsed())
            });
        }
        for (length, took) in clients.join_all().await {
            assert!(took < 6 * LIMIT, "{length}: {took:?}");
        }
        // Ever more of what means nothing, a byte at a time.
        let foe = bystander.foe(Role::Server).await;
        let mut control = foe.uni(&[0x00, 0x04, 0x40, 0xff]).await;
        let mut ticks = interval(LIMIT / 10);
        let began = Instant::now();
        tokio::select! {
            _ = foe.close_code() => {}
            () = async {
                loop {
                    ticks.tick().await;
                    let _ = control.write_all(&[0x21]).await;
                }
            } => {}
        }
        assert!(began.elapsed() < 6 * LIMIT);
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_takes_for_ever_over_its_settings_is_given_up_in_time() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        let whole = [&[0x40, 0x00][..], &settings(bare::WEBTRANSPORT)].concat();
        let mut clients = JoinSet::new();
        for length in [0, 1, 2, 3, whole.len() - 1] {
            let socket = bare::server(Some(b"h3"));
            // Time enough for the handshake, however busy the machine is.
            let connector = bystander.connector.clone().connect_timeout(4 * LIMIT);
            let connecting = tokio::spawn(connector.oneshot(bare::target(&socket)));
            let quic = socket.accept().await.unwrap().await.unwrap();
            let mut control = quic.open_uni().await.unwrap();
            control.write_all(&whole[..length]).await.unwrap();
            clients.spawn(async move {
                let connected = connecting.await.unwrap();
                quic.closed().await;
                drop(control);
                (length, connected)
            });
        }
        bystander.unharmed().await;
        for (length, connected) in clients.join_all().await {
            assert!(matches!(connected, Err(ConnectError::TimedOut)), "{length}");
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_of_its_handshake_is_given_up_in_time() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        let server = slow_server();
        let [one, two, four] = [1, 2, 4].map(async |packets| {
            let passed = Arc::<AtomicUsize>::default();
            let counted = Arc::clone(&passed);
            let path = stand_between(server, move |packet, way| {
                let passes = way == Way::Up || counted.load(Ordering::Relaxed) < packets;
                counted.fetch_add(usize::from(passes && way == Way::Down), Ordering::Relaxed);
                passes.then(|| packet.to_vec()).into_iter().collect()
            });

            given_up_in_time(&bystander, path.await).await;

            assert_eq!(passed.load(Ordering::Relaxed), packets);
        });
        tokio::join!(one, two, four);
    })
    .await;
}

/// Each packet is one that leads on.
#[tokio::test]
async fn a_server_that_takes_for_ever_over_its_handshake_is_given_up_in_time() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        let mut packets = 0;
        let path = delay_between(slow_server(), move |packet, way| {
            packets += u32::from(way == Way::Down);
            let delay = match way {
                Way::Up => Duration::ZERO,
                Way::Down => packets * LIMIT,
            };
            vec![(delay, packet.to_vec())]
        });

        given_up_in_time(&bystander, path.await).await;
    })
    .await;
}

/// Connects there, which comes to nothing in the time set, and hurts no other connection.
async fn given_up_in_time(bystander: &Bystander, path: SocketAddr) {
    // Time enough for those packets that pass, however busy the machine is.
    let limit = 4 * LIMIT;
    let connector = bystander.connector.clone().connect_timeout(limit);
    let connecting = tokio::spawn(async move {
        let began = Instant::now();
        (connector.oneshot(path.into()).await, began.elapsed())
    });
    // From the same socket, and meanwhile.
    bystander.unharmed().await;
    let beside = bystander.connector.clone();
    let beside = beside.oneshot(target(&bystander.served.endpoint)).await;
    beside.unwrap().open("/").await.unwrap();

    let (connected, took) = connecting.await.unwrap();

    assert!(
        matches!(connected, Err(ConnectError::TimedOut)),
        "{connected:?}"
    );
    assert!((limit..2 * limit).contains(&took), "{took:?}");
    bystander.unharmed().await;
}

/// A server whose handshake takes more packets than it may send to whom it does not know.
fn slow_server() -> SocketAddr {
    let server = bare::server_of(300);
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(async move { drop(incoming.await) });
        }
    });
    address
}

#[tokio::test]
async fn half_a_request_is_given_up_in_time_and_the_session_beside_lives() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        let (peer, beside) = bystander.client().await;
        let mut halves = Vec::new();
        for whole in [raw::connect("/"), raw::request("GET", "/", &[])] {
            for length in 1..whole.len() {
                let (mut send, recv) = peer.connect_stream().await;
                send.write_all(&whole[..length]).await.unwrap();
                halves.push((send, recv));
            }
        }
        // What waits for one must not wait longer.
        let early = peer.uni(halves[0].0.id().into(), b"early").await;

        for (_send, recv) in &mut halves {
            beside.lives(&peer).await;
            assert_eq!(reset_code(recv).await, H3_REQUEST_CANCELLED);
        }
        assert_eq!(raw::stop_code(&early).await, raw::SESSION_GONE);
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_body_holds_up_nobody() {
    // How long one may take is for whoever reads it to say.
    within(async {
        let bystander = Bystander::new(limits()).await;
        let (peer, beside) = bystander.client().await;
        let mut slow = Vec::new();
        for _ in 0..200 {
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            let content = data(b"content");
            let half = [&raw::request("POST", "/", &[]), &content[..5]].concat();
            send.write_all(&half).await.unwrap();
            cancel(recv.read_chunk(1, true)).await;
            slow.push((send, recv, content[5..].to_vec()));
        }

        beside.lives(&peer).await;
        let another = Beside::open(&peer).await;
        another.lives(&peer).await;
        bystander.unharmed().await;

        for (mut send, mut recv, rest) in slow {
            send.write_all(&rest).await.unwrap();
            send.finish().unwrap();
            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
        }
    })
    .await;
}

#[tokio::test]
async fn half_an_answer_holds_up_nobody_and_can_be_given_up() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        let (peer, client, session, exchange) = bystander.server().await;
        let answer = raw::response("200");
        for length in [0, 1, 2, answer.len() - 1] {
            let mut opening = Box::pin(client.open("/"));
            assert!(once(opening.as_mut()).await.is_none());
            let mut slow = Exchange::accept(&peer).await;
            slow.write(&answer[..length]).await;

            converse(&session, &exchange, &peer).await;
            assert!(once(opening.as_mut()).await.is_none());
            drop(opening);

            assert_eq!(slow.reset().await, H3_REQUEST_CANCELLED);
            converse(&session, &exchange, &peer).await;
        }
        bystander.unharmed().await;
    })
    .await;
}

#[tokio::test]
async fn half_a_capsule_or_frame_holds_up_nobody() {
    within(async {
        let bystander = Bystander::new(limits()).await;
        for role in ROLES {
            let close = data(&raw::close_capsule(7, b"over"));
            for length in (1..close.len()).step_by(3) {
                let mut rig = Rig::new(&bystander, role).await;
                rig.send.write_all(&close[..length]).await.unwrap();
                rig.other_lives().await;

                rig.send.write_all(&close[length..]).await.unwrap();
                rig.send.finish().unwrap();

                assert_eq!(rig.recv.read_to_end(10).await.unwrap(), b"", "{role:?}");
            }
        }
        bystander.unharmed().await;
    })
    .await;
}

fn limits() -> Limits {
    Limits::default().header_timeout(LIMIT)
}

/// Time enough for a crowd to come.
fn patient() -> Limits {
    Limits::default().header_timeout(8 * LIMIT)
}

/// The first packet of a client's.
async fn first_packet() -> Vec<u8> {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    let connector = bare::connector();
    let target: wt_connection::Target = socket.local_addr().unwrap().into();
    let connecting = tokio::spawn(connector.oneshot(target));
    let mut packet = vec![0; 2048];
    let length = socket.recv(&mut packet).await.unwrap();
    connecting.abort();
    packet.truncate(length);
    packet
}

//! What one client, and all of them together, may occupy of a server.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::bounded::{until, within};
use common::raw::{
    self, H3_MESSAGE_ERROR, H3_REQUEST_CANCELLED, H3_REQUEST_REJECTED, Raw, reset_code,
};
use common::serve::{BoxError, Reply, Served, get, reply, text};
use common::{LOOPBACK, address, target};
use http::Request;
use tokio::net::UdpSocket;
use tower::limit::ConcurrencyLimit;
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, ConnectError, Connections, Limits, Server, Upgrade};

const HEADERS: u64 = 0x01;

#[tokio::test]
async fn a_client_for_whom_there_is_no_room_is_refused_and_counted() {
    within(async {
        let connections = Connections::new().max_connections(2);
        let kept = connections.clone();
        let served = serve(Limits::default(), |server| server.connections(kept));
        let (first, second) = (served.client().await, served.client().await);
        let session = second.open("/").await.unwrap();

        for refused in 1..=2 {
            let connector = served.connector.clone();
            let third = connector.oneshot(target(&served.endpoint)).await;
            assert!(matches!(third, Err(ConnectError::Refused)), "{third:?}");
            assert_eq!(connections.stats().refused, refused);
        }
        assert_eq!(text(get(&first, "/").await.unwrap()).await, "served");
        session.send_datagram("question").unwrap();
        assert_eq!(session.read_datagram().await.unwrap(), "question");

        first.close(0, "").await;
        until(|| connections.len() == 1).await;
        let third = served.client().await;
        assert_eq!(text(get(&third, "/").await.unwrap()).await, "served");
        assert_eq!(connections.stats().high_water, 2);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_never_gets_in_frees_its_place() {
    within(async {
        let connections = Connections::new().max_connections(1);
        let kept = connections.clone();
        let limits = Limits::default().header_timeout(Duration::from_secs(1));
        let served = serve(limits, |server| server.connections(kept));
        // Its SETTINGS never come.
        let (quic, _socket) = raw::quic_client(&served.endpoint, &served.identity).await;
        let connector = served.connector.clone();
        let refused = connector.oneshot(target(&served.endpoint)).await;
        assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");

        quic.closed().await;

        let client = served.client().await;
        assert_eq!(text(get(&client, "/").await.unwrap()).await, "served");
    })
    .await;
}

#[tokio::test]
async fn a_client_proves_its_address_where_many_shake_hands() {
    within(async {
        for (above, retries) in [(0, 1), (256, 0)] {
            let served = serve(Limits::default(), |s| s.validate_addresses_above(above));
            let (path, seen) = spy(address(&served.endpoint)).await;

            let connector = served.connector.clone();
            let client = connector.oneshot(path.into()).await.unwrap();

            assert_eq!(text(get(&client, "/").await.unwrap()).await, "served");
            assert_eq!(seen.load(Ordering::Relaxed), retries);
        }
    })
    .await;
}

#[tokio::test]
async fn sessions_over_the_limit_are_refused_and_counted() {
    within(async {
        let connections = Connections::new();
        let kept = connections.clone();
        let limits = Limits::default().max_sessions(2);
        let served = serve(limits, |server| server.connections(kept));
        let peer = served.raw().await;
        let (mut first, _first) = opened(&peer).await;
        let _second = opened(&peer).await;

        for refused in 1..=3 {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&raw::connect("/")).await.unwrap();
            assert_eq!(reset_code(&mut recv).await, H3_REQUEST_REJECTED);
            assert_eq!(connections.all()[0].refused_requests(), refused);
        }
        still_serves(&peer).await;

        first.finish().unwrap();
        loop {
            let (mut send, mut recv) = peer.connect_stream().await;
            send.write_all(&raw::connect("/")).await.unwrap();
            if recv.read_exact(&mut [0]).await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn headers_larger_than_allowed_are_answered_with_431() {
    within(async {
        let served = serve(Limits::default(), |server| server);
        let peer = served.raw().await;
        let large = "x".repeat(17_000);
        let many: Vec<_> = (0..500).map(|number| format!("x-{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (&name[..], "1")).collect();

        for head in [
            raw::request("GET", "/", &[("x-large", &large)]),
            // Few bytes each, but 32 more as HTTP/3 counts them.
            raw::request("GET", "/", &many),
            [raw::varint(HEADERS), raw::varint(1 << 30)].concat(),
        ] {
            let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
            send.write_all(&head).await.unwrap();

            assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "431");
            assert_eq!(recv.read_to_end(10).await.unwrap(), b"");
            still_serves(&peer).await;
        }
    })
    .await;
}

#[tokio::test]
async fn headers_that_take_too_long_are_refused_and_counted() {
    within(async {
        let connections = Connections::new();
        let kept = connections.clone();
        let limits = Limits::default().header_timeout(Duration::from_secs(1));
        let served = serve(limits, |server| server.connections(kept));
        let peer = served.raw().await;
        let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
        let begun = [raw::varint(HEADERS), raw::varint(10_000), vec![0, 0]].concat();
        send.write_all(&begun).await.unwrap();

        // Byte by byte, each after others have been served.
        let mut stopped = std::pin::pin!(reset_code(&mut recv));
        let code = loop {
            tokio::select! {
                biased;
                code = &mut stopped => break code,
                () = still_serves(&peer) => {
                    let _ = send.write_all(&[0x21]).await;
                }
            }
        };

        assert_eq!(code, H3_REQUEST_CANCELLED);
        assert_eq!(connections.all()[0].refused_requests(), 1);
        still_serves(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_opens_all_streams_holds_up_nobody_else() {
    within(async {
        let served = serve(Limits::default(), |server| server);
        let peer = served.raw().await;
        let other = served.client().await;
        let mut held = Vec::new();

        let code = quinn::VarInt::from_u64(H3_REQUEST_CANCELLED).unwrap();
        while let Some(opened) = common::bounded::once(std::pin::pin!(peer.quic.open_bi())).await {
            let (mut send, recv) = opened.unwrap();
            send.write_all(&[0x01]).await.unwrap();
            held.push((send, recv));
        }

        assert!(held.len() <= 256 + 128, "{}", held.len());
        assert_eq!(text(get(&other, "/").await.unwrap()).await, "served");
        for (mut send, mut recv) in held.drain(..) {
            send.reset(code).unwrap();
            let _ = recv.stop(code);
        }
        still_serves(&peer).await;
    })
    .await;
}

#[tokio::test]
async fn what_comes_to_no_handler_takes_no_part_of_what_handlers_share() {
    // The service became ready for it, and what that took was lost to all other connections.
    within(async {
        let service = ConcurrencyLimit::new(service_fn(handle), 1);
        let served = Served::set(Limits::default(), |server| server, service);
        let (page, peer) = (served.raw().await, served.raw().await);
        let origin = [
            (":method", "CONNECT"),
            (":protocol", "webtransport"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/"),
            ("origin", "https://elsewhere.example"),
        ];
        let (mut send, mut recv) = page.connect_stream().await;
        send.write_all(&raw::headers(&origin)).await.unwrap();
        assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "403");
        let lengths = [("content-length", "1"), ("content-length", "2")];
        let (mut send, mut recv) = peer.connect_stream().await;
        send.write_all(&raw::request("POST", "/", &lengths))
            .await
            .unwrap();
        assert_eq!(reset_code(&mut recv).await, H3_MESSAGE_ERROR);

        let client = served.client().await;

        assert_eq!(text(get(&client, "/").await.unwrap()).await, "served");
    })
    .await;
}

fn serve(limits: Limits, set: impl FnOnce(Server) -> Server) -> Served {
    Served::set(limits, set, service_fn(handle))
}

async fn handle(mut request: Request<Body>) -> Result<Reply, BoxError> {
    if let Some(upgrade) = Upgrade::of(&mut request) {
        let session = upgrade.session();
        upgrade.spawn(async move {
            let session = session.await.unwrap();
            while let Ok(datagram) = session.read_datagram().await {
                session.send_datagram(datagram).unwrap();
            }
        });
    }
    Ok(reply("served"))
}

async fn opened(peer: &Raw) -> (quinn::SendStream, quinn::RecvStream) {
    let (mut send, mut recv) = peer.connect_stream().await;
    send.write_all(&raw::connect("/")).await.unwrap();
    assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
    (send, recv)
}

async fn still_serves(peer: &Raw) {
    let (mut send, mut recv) = peer.quic.open_bi().await.unwrap();
    send.write_all(&raw::request("GET", "/", &[]))
        .await
        .unwrap();
    send.finish().unwrap();
    assert_eq!(raw::status(&raw::read_frame(&mut recv).await.1), "200");
    assert_eq!(raw::read_frame(&mut recv).await, (0, b"served".to_vec()));
}

/// A path for one client, on which a server's Retry packets are counted.
async fn spy(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let front = UdpSocket::bind(LOOPBACK).await.unwrap();
    let back = UdpSocket::bind(LOOPBACK).await.unwrap();
    back.connect(server).await.unwrap();
    let path = front.local_addr().unwrap();
    let retries = Arc::<AtomicUsize>::default();
    let seen = Arc::clone(&retries);
    tokio::spawn(async move {
        let (mut up, mut down) = ([0; 65_536], [0; 65_536]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((length, from)) = front.recv_from(&mut up) => {
                    client = Some(from);
                    let _ = back.send(&up[..length]).await;
                }
                Ok(length) = back.recv(&mut down) => {
                    // A long header of type 3.
                    if down[0] & 0xb0 == 0xb0 {
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                    let _ = front.send_to(&down[..length], client.unwrap()).await;
                }
            }
        }
    });
    (path, retries)
}

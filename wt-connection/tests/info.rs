//! The figures of a connection: addresses, times, and what QUIC counts.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use common::bounded::within;
use common::path::{Way, stand_between};
use common::raw;
use common::{connected, connections, connector, pair, server_builder, session, target};
use tower::Service;
use wt_connection::{Connection, ConnectionInfo, ConnectionState, Endpoint, Limits};

#[tokio::test]
async fn each_side_knows_both_addresses() {
    within(async {
        let pair = connected().await;

        let (client, server) = (pair.client.info(), pair.server.info());

        let listening = common::address(&pair.server_endpoint);
        assert_eq!(server.local_address, Some(listening));
        assert_eq!(client.remote_address, Some(listening));
        assert!(client.local_address.is_some());
        assert_eq!(client.local_address, server.remote_address);
    })
    .await;
}

#[tokio::test]
async fn the_wildcard_is_told_by_the_address_that_stands_for_it() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.address("[::]:0".parse().unwrap()).bind().unwrap();
        let port = common::address(&server).port();
        let any = wt_connection::Trust::hashes([identity.certificate_hash()]);
        let mut connector = wt_connection::Connector::new(Endpoint::client(any).unwrap());
        for ip in ["127.0.0.1", "::1"] {
            let reached = std::net::SocketAddr::new(ip.parse().unwrap(), port);
            let accept = async { server.accept().await.unwrap().await.unwrap() };

            let (client, there) = tokio::join!(connector.call(reached.into()), accept);

            let (client, there) = (client.unwrap().info(), there.info());
            assert_eq!(there.local_address, Some(reached));
            assert_eq!(client.local_address.unwrap().ip(), reached.ip());
            assert_eq!(client.local_address, there.remote_address);
        }
    })
    .await;
}

#[tokio::test]
async fn a_quic_connection_of_ones_own_does_not_tell_its_local_address() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let connect = raw::quic_client(&server, &identity);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let client = async {
            let (quinn, socket) = connect.await;
            let client = Connection::from_quinn(quinn, Limits::default()).await;
            (client.unwrap(), socket)
        };

        let ((client, _socket), _there) = tokio::join!(client, accept);

        let info = client.info();
        assert_eq!(info.local_address, None);
        assert_eq!(info.remote_address, Some(common::address(&server)));
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_is_counted_on_both_sides() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let (sent_before, received_before) = (pair.client.info(), pair.server.info());

        let mut send = opened.open_uni().await.unwrap();
        send.write_all(&[7; 100_000]).await.unwrap();
        send.finish().unwrap();
        let mut recv = accepted.accept_uni().await.unwrap();
        recv.read_to_end(100_000).await.unwrap();

        let (sent, received) = (pair.client.info(), pair.server.info());
        assert!(sent.bytes_sent - sent_before.bytes_sent > 100_000);
        assert!(received.bytes_received - received_before.bytes_received > 100_000);
        assert!(sent.packets_sent - sent_before.packets_sent > 50);
        assert!(received.packets_received - received_before.packets_received > 50);
        assert!(received.bytes_received <= sent.bytes_sent);
        assert!(sent.rtt > Duration::ZERO && sent.rtt < Duration::from_secs(1));
        assert!(sent.mtu >= 1200 && sent.congestion_window >= 1200);
    })
    .await;
}

#[tokio::test]
async fn what_the_path_loses_is_counted() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let losing = Arc::<AtomicBool>::default();
        let lost = Arc::<AtomicU64>::default();
        let (lose, count, mut packets) = (Arc::clone(&losing), Arc::clone(&lost), 0);
        let path = stand_between(common::address(&server), move |packet, way| {
            packets += 1;
            if way == Way::Up && packets % 10 == 0 && lose.load(Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Relaxed);
                return Vec::new();
            }
            vec![packet.to_vec()]
        })
        .await;
        let mut connector = connector(&identity);
        let accept = async { server.accept().await.unwrap().await.unwrap() };
        let (client, there) = tokio::join!(connector.call(path.into()), accept);
        let client = client.unwrap();
        let (opened, accepted) = session(&client, &there).await;
        assert_eq!(client.info().lost_packets, 0);

        losing.store(true, Ordering::Relaxed);
        let mut send = opened.open_uni().await.unwrap();
        send.write_all(&[7; 200_000]).await.unwrap();
        send.finish().unwrap();
        let mut recv = accepted.accept_uni().await.unwrap();
        let received = recv.read_to_end(200_000).await.unwrap();

        assert_eq!(received.len(), 200_000);
        let (info, lost) = (client.info(), lost.load(Ordering::Relaxed));
        // Some of what is lost asks for no answer, and nobody misses that.
        let found = info.lost_packets;
        assert!((lost / 2..=lost).contains(&found), "{found} of {lost}");
        assert!(lost > 5, "{lost}");
    })
    .await;
}

#[tokio::test]
async fn two_reads_are_two_values() {
    within(async {
        let pair = connected().await;

        let before = pair.client.info();
        let _session = session(&pair.client, &pair.server).await;
        let after = pair.client.info();

        assert!(after.bytes_sent > before.bytes_sent);
        assert!(after.last_activity > before.last_activity);
        assert!(after.uptime() > before.uptime());
        assert_eq!(after.established_at, before.established_at);
    })
    .await;
}

#[tokio::test]
async fn the_figures_stay_readable_once_the_connection_is_over() {
    within(async {
        let pair = connected().await;
        let begun = SystemTime::now();
        let open = pair.client.info();
        assert_eq!(open.closed_at, None);

        pair.client.close(1, "enough").await;
        pair.server.closed().await;
        let (closed, there) = (pair.client.info(), pair.server.info());

        for info in [&closed, &there] {
            assert_eq!(info.state, ConnectionState::Closed);
            assert!(info.closed_at.unwrap() >= begun);
            assert!(info.bytes_sent > 0 && info.bytes_received > 0);
            assert!(info.remote_address.is_some() && info.local_address.is_some());
            assert_eq!(info.error_count, 0);
        }
        assert_eq!(closed.established_at, open.established_at);
        let later = pair.client.info();
        assert_eq!(later.uptime(), closed.uptime());
        assert_eq!(later.closed_at, closed.closed_at);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_has_the_defaults_and_then_its_connection_s_figures() {
    within(async {
        let (server, mut connector) = pair();
        let mut connecting = connector.call(target(&server));
        let before = connecting.info();
        let accept = async { server.accept().await.unwrap().await.unwrap() };

        let (connected, _there) = tokio::join!(&mut connecting, accept);

        assert_defaults(&before);
        assert_eq!(before.state, ConnectionState::Idle);
        assert_eq!(before.closed_at, None);
        let (after, connection) = (connecting.info(), connected.unwrap().info());
        assert_eq!(after.id, before.id);
        assert_eq!(after.state, ConnectionState::Connected);
        assert_eq!(after.established_at, connection.established_at);
        assert_eq!(after.remote_address, connection.remote_address);
        assert!(after.bytes_received > 0);
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_failed_was_never_established_and_has_an_end() {
    within(async {
        let (server, mut connector) = pair();
        let mut connecting = connector.call(target(&server));
        let refuse = async { server.accept().await.unwrap().refuse() };

        let (outcome, ()) = tokio::join!(&mut connecting, refuse);

        assert!(outcome.is_err());
        let info = connecting.info();
        assert_defaults(&info);
        assert_eq!(info.state, ConnectionState::Failed);
        assert!(info.closed_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_failed_behind_the_handshake_keeps_its_figures() {
    within(async {
        let server = common::bare::server(Some(b"h3"));
        let mut connecting = common::bare::connector().call(common::bare::target(&server));
        let accept = common::bare::accept(&server, common::bare::PLAIN);

        let (outcome, _peer) = tokio::join!(&mut connecting, accept);

        assert!(outcome.is_err());
        let info = connecting.info();
        assert_eq!(info.state, ConnectionState::Failed);
        assert!(info.established_at.is_none() && info.closed_at.is_some());
        assert_eq!(info.uptime(), Duration::ZERO);
        assert!(info.bytes_sent > 0 && info.bytes_received > 0);
        assert_eq!(info.remote_address, server.local_addr().ok());
    })
    .await;
}

#[tokio::test]
async fn the_last_activity_is_told_by_the_clock_on_the_wall() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();
        let (client, there) = connections(&server, &connector(&identity)).await;
        let before = SystemTime::now();
        let _session = session(&client, &there).await;
        let after = SystemTime::now();

        let last = client.info().last_activity.unwrap();

        // The stamp is in whole microseconds.
        let precision = Duration::from_millis(1);
        assert!(before - precision < last && last < after + precision);
    })
    .await;
}

#[tokio::test]
async fn the_last_activity_of_a_connection_that_nobody_uses_does_not_move() {
    // It was converted by a fresh pair of clocks at each read.
    within(async {
        let pair = connected().await;

        let first = pair.client.info();
        for _ in 0..100 {
            assert_eq!(pair.client.info().last_activity, first.last_activity);
        }

        // That of QUIC's connection, which was made before.
        let precision = Duration::from_millis(100);
        let established = first.established_at.unwrap();
        assert!(first.last_activity.unwrap() < established + precision);
    })
    .await;
}

#[tokio::test]
async fn what_is_used_after_its_end_was_last_used_before() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let mut send = opened.open_uni().await.unwrap();
        send.write_all(b"late").await.unwrap();
        let mut recv = accepted.accept_uni().await.unwrap();
        pair.client.close(0, "").await;
        pair.server.closed().await;
        let (over, last) = (pair.server.info(), pair.server.last_activity());

        pair.server.record_activity();
        let _ = recv.read_to_end(10).await;

        assert!(over.last_activity <= over.closed_at);
        assert_eq!(pair.server.info().last_activity, over.last_activity);
        assert_eq!(pair.server.last_activity(), last);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_outlives_its_connection_uses_it_until_its_end() {
    // Until now, whenever that was.
    within(async {
        let peer = raw::client(Limits::default()).await;
        let (_endpoint, peer, server) = peer;
        let (mut send, _recv) = peer.connect_stream().await;
        send.write_all(&raw::connect("/")).await.unwrap();
        let _request = server.accept().await.unwrap();

        server.close(0, "").await;
        let info = server.info();

        assert!(info.last_activity <= info.closed_at);
        assert_eq!(server.info().last_activity, info.last_activity);
    })
    .await;
}

fn assert_defaults(info: &ConnectionInfo) {
    assert_eq!((info.local_address, info.remote_address), (None, None));
    assert_eq!((info.established_at, info.last_activity), (None, None));
    let counts = [
        info.bytes_sent,
        info.bytes_received,
        info.packets_sent,
        info.packets_received,
        info.unanswered_packets,
        info.error_count,
        info.congestion_window,
        info.lost_packets,
        info.mtu.into(),
    ];
    assert_eq!(counts, [0; 9]);
    assert_eq!((info.rtt, info.uptime()), Default::default());
}

//! What a connection tells of itself: its id, and when it was last used.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::bounded::{until, within};
use common::{connected, connections, connector, pair, server_builder, session};
use tokio::time::Instant;
use wt_connection::{Connection, Transport};

#[tokio::test]
async fn no_two_connections_of_an_endpoint_have_the_same_id() {
    within(async {
        let (server, connector) = pair();

        let (first, first_there) = connections(&server, &connector).await;
        let (second, second_there) = connections(&server, &connector).await;

        let all = [&first, &first_there, &second, &second_there];
        assert_eq!(ids(&all).len(), 4);
        assert_eq!(first.clone().id(), first.id());
    })
    .await;
}

#[tokio::test]
async fn no_two_connections_of_different_endpoints_have_the_same_id() {
    within(async {
        let (one, other) = tokio::join!(connected(), connected());

        let all = [&one.client, &one.server, &other.client, &other.server];
        assert_eq!(ids(&all).len(), 4);
        let texts: HashSet<_> = all.map(|connection| connection.id().to_string()).into();
        assert_eq!(texts.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn the_opening_of_a_session_is_activity_on_both_sides() {
    within(async {
        let pair = connected().await;
        let (client, server) = (&pair.client, &pair.server);

        uses(client, uses(server, session(client, server))).await;
    })
    .await;
}

#[tokio::test]
async fn the_opening_and_the_acceptance_of_a_stream_are_activity() {
    within(async {
        let pair = connected().await;
        let (client, server) = (&pair.client, &pair.server);
        let (opened, accepted) = session(client, server).await;

        let mut bi = uses(client, opened.open_bi()).await.unwrap();
        let mut uni = uses(client, opened.open_uni()).await.unwrap();
        // Without data, a stream's header stays with its opener.
        bi.send.write_all(b"a").await.unwrap();
        uni.write_all(b"b").await.unwrap();

        let _bi = uses(server, accepted.accept_bi()).await.unwrap();
        let _uni = uses(server, accepted.accept_uni()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_stream_carries_is_activity() {
    within(async {
        let pair = connected().await;
        let (client, server) = (&pair.client, &pair.server);
        let (opened, accepted) = session(client, server).await;
        let mut send = opened.open_uni().await.unwrap();

        uses(client, send.write_all(b"sent")).await.unwrap();

        let mut recv = accepted.accept_uni().await.unwrap();
        let read = uses(server, recv.read_chunk(100)).await.unwrap();
        assert_eq!(read.unwrap(), "sent");
    })
    .await;
}

#[tokio::test]
async fn datagrams_are_activity() {
    within(async {
        let pair = connected().await;
        let (client, server) = (&pair.client, &pair.server);
        let (opened, accepted) = session(client, server).await;

        uses(client, async { opened.send_datagram("sent") })
            .await
            .unwrap();

        let read = uses(server, accepted.read_datagram()).await.unwrap();
        assert_eq!(read, "sent");
    })
    .await;
}

#[tokio::test]
async fn what_keeps_a_connection_alive_is_no_activity() {
    within(async {
        let (identity, builder) = server_builder();
        let often = Some(Duration::from_millis(10));
        let server = builder.transport(Transport::default().keep_alive_interval(often));
        let server = server.bind().unwrap();
        let (client, there) = connections(&server, &connector(&identity)).await;
        let _session = session(&client, &there).await;
        let last = (client.last_activity(), there.last_activity());

        let pings = || client.quic().stats().frame_rx.ping;
        let before = pings();
        until(|| pings() >= before + 3).await;

        assert_eq!((client.last_activity(), there.last_activity()), last);
    })
    .await;
}

#[tokio::test]
async fn what_arrives_and_is_not_taken_is_no_activity() {
    within(async {
        let pair = connected().await;
        let (opened, accepted) = session(&pair.client, &pair.server).await;
        let last = pair.server.last_activity();

        opened.send_datagram("not read").unwrap();
        let mut uni = opened.open_uni().await.unwrap();
        uni.write_all(b"not accepted").await.unwrap();
        uni.finish().unwrap();
        let acknowledged = uni.stopped().await;

        assert!(matches!(acknowledged, Ok(None)), "{acknowledged:?}");
        assert_eq!(pair.server.last_activity(), last);
        drop(accepted);
    })
    .await;
}

fn ids(connections: &[&Connection]) -> HashSet<wt_connection::ConnectionId> {
    connections
        .iter()
        .map(|connection| connection.id())
        .collect()
}

/// Runs `action`, which must count as a use of the connection.
async fn uses<T>(connection: &Connection, action: impl Future<Output = T>) -> T {
    const PRECISION: Duration = Duration::from_millis(1);
    let before = connection.last_activity();
    until(|| before.elapsed() > 2 * PRECISION).await;
    let began = Instant::now();

    let done = action.await;

    let last = connection.last_activity();
    assert!(last + PRECISION > began, "not a use of the connection");
    assert!(last > before, "not a use of the connection");
    done
}

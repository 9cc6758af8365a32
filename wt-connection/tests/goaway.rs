//! What a peer's GOAWAY does to the sessions of a connection, open and asked for.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::pin::pin;

use common::bare::{WEBTRANSPORT, goaway};
use common::bounded::{cancel, once, within};
use common::raw::{self, Raw};
use http::Request;
use tower::Service;
use wt_connection::{Connection, ConnectionState, Limits, OpenError};

#[tokio::test]
async fn an_opening_that_a_goaway_leaves_out_was_not_processed() {
    // It waited for an answer that a server need not give.
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut opening = pin!(client.open("/"));
        assert!(once(opening.as_mut()).await.is_none());
        let _unanswered = peer.quic.accept_bi().await.unwrap();

        peer.control.write_all(&goaway(0)).await.unwrap();

        assert!(matches!(opening.await, Err(OpenError::Draining)));
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_rejected_after_a_goaway_met_a_drain() {
    // It looked like one over a limit, which counts against a server.
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut opening = pin!(client.open("/"));
        assert!(once(opening.as_mut()).await.is_none());
        let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();

        drained(&mut peer, &client, 4).await;
        let rejected = quinn::VarInt::from_u64(0x10b).unwrap();
        send.reset(rejected).unwrap();

        assert!(matches!(opening.await, Err(OpenError::Draining)));
    })
    .await;
}

#[tokio::test]
async fn an_opening_within_a_goaway_goes_on() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut opening = pin!(client.open("/"));
        assert!(once(opening.as_mut()).await.is_none());
        let (mut send, _recv) = peer.quic.accept_bi().await.unwrap();

        drained(&mut peer, &client, 4).await;
        assert!(once(opening.as_mut()).await.is_none());
        send.write_all(&raw::response("200")).await.unwrap();

        assert!(opening.await.unwrap().is_draining());
    })
    .await;
}

#[tokio::test]
async fn a_place_reserved_before_a_goaway_asks_for_nothing_after_it() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let mut service = client.clone();
        let readied = service.ready().await.unwrap();

        // The first of a server's that shuts down in order leaves nothing out yet.
        drained(&mut peer, &client, (1 << 62) - 4).await;
        let opened = readied.call(Request::get("/").body(()).unwrap()).await;

        assert!(matches!(opened, Err(OpenError::Draining)));
        cancel(peer.quic.accept_bi()).await;
    })
    .await;
}

#[tokio::test]
async fn a_goaway_drains_the_sessions_that_are_open() {
    within(async {
        let (mut peer, client, _connector) = raw::server(WEBTRANSPORT).await;
        let answer = async {
            let (mut send, recv) = peer.quic.accept_bi().await.unwrap();
            send.write_all(&raw::response("200")).await.unwrap();
            (send, recv)
        };
        let (session, _streams) = tokio::join!(client.open("/"), answer);
        let session = session.unwrap();
        assert!(!session.is_draining());

        peer.control.write_all(&goaway(4)).await.unwrap();

        session.draining().await;
        assert!(session.is_draining());
        let _stream = session.open_uni().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_goaway_of_a_clients_speaks_of_pushes() {
    within(async {
        let mut peer = raw::session(Limits::default()).await;

        peer.peer.control.write_all(&goaway(0)).await.unwrap();
        let session = peer.another().await;

        assert_eq!(peer.connection.state(), ConnectionState::Connected);
        assert!(!session.is_draining());
    })
    .await;
}

/// Sends a GOAWAY, and waits until the client knows of it.
async fn drained(peer: &mut Raw, client: &Connection, id: u64) {
    peer.control.write_all(&goaway(id)).await.unwrap();
    let mut states = client.states();
    let draining = states.wait_for(|state| *state == ConnectionState::Draining);
    draining.await.unwrap();
}

//! Which connections count as established, though they begin and end in one moment.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::time::Duration;

use common::bare::{self, goaway};
use common::bounded::{until, within};
use common::raw::{ENABLED, settings};
use tokio_test::assert_pending;
use tokio_test::task::{self, Spawn};
use tower::Service;
use wt_connection::{
    Connecting, ConnectionState, Connector, DangerousNoVerification, Endpoint, Trust,
};

#[tokio::test]
async fn a_server_that_drains_as_it_begins_was_connected_to() {
    // It went from connecting to draining, and had never been established.
    within(async {
        let server = bare::server(Some(b"h3"));
        let connecting = bare::connector().call(bare::target(&server));
        let accept = async {
            let quic = server.accept().await.unwrap().await.unwrap();
            (open_control(&quic, &goaway(0)).await, quic)
        };

        let (connected, _peer) = tokio::join!(connecting, accept);

        let client = connected.unwrap();
        let info = client.info();
        assert_eq!(info.state, ConnectionState::Draining);
        assert!(info.established_at.is_some());
        assert!(client.info().uptime() > Duration::ZERO);
        assert!(client.open("/").await.is_err());
    })
    .await;
}

#[tokio::test]
async fn what_is_given_up_before_it_is_connected_has_failed_though_the_server_drains() {
    // It was draining, and so it ended closed.
    within(async {
        let (connecting, _peer) = waiting(bare::connector(), &goaway(0)).await;
        let mut states = connecting.states();
        // The frame behind the SETTINGS is applied in the same turn, or soon.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(connecting.state(), ConnectionState::Connecting);

        drop(connecting);

        let over = states.wait_for(|state| state.is_final()).await.unwrap();
        assert_eq!(*over, ConnectionState::Failed);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_closes_connects_no_more() {
    // The SETTINGS had come, so it was connected for a moment.
    within(async {
        let client = client();
        let (mut connecting, _peer) = waiting(Connector::new(client.clone()), &[]).await;

        let closing = client.close(0, "");
        let outcome = tokio::join!(&mut *connecting, closing).0;

        assert!(outcome.is_err());
        let info = connecting.info();
        assert_eq!(info.state, ConnectionState::Failed);
        assert_eq!(info.established_at, None);
    })
    .await;
}

/// An attempt that has yet to look at the server's SETTINGS, which have come with `more`.
async fn waiting(mut connector: Connector, more: &[u8]) -> (Spawn<Connecting>, Peer) {
    let server = bare::server(Some(b"h3"));
    let mut connecting = task::spawn(connector.call(bare::target(&server)));
    assert_pending!(connecting.poll());
    let quic = async { server.accept().await.unwrap().await.unwrap() };
    let handshake = async {
        while connecting.info().remote_address.is_none() {
            until(|| connecting.is_woken()).await;
            assert_pending!(connecting.poll());
        }
    };
    let (quic, ()) = tokio::join!(quic, handshake);
    let control = open_control(&quic, more).await;
    until(|| connecting.is_woken()).await;
    (connecting, (quic, control, server))
}

/// Opens a control stream of SETTINGS and `more` at once.
async fn open_control(quic: &quinn::Connection, more: &[u8]) -> quinn::SendStream {
    let mut control = quic.open_uni().await.unwrap();
    let opening = [&[0x00], &settings(&ENABLED)[..], more].concat();
    control.write_all(&opening).await.unwrap();
    control
}

fn client() -> Endpoint {
    let trust = Trust::from(DangerousNoVerification);
    let builder = Endpoint::builder().address(common::LOOPBACK.parse().unwrap());
    builder.trust(trust).bind().unwrap()
}

/// Whoever is connected to; the socket and the control stream have to be kept.
type Peer = (quinn::Connection, quinn::SendStream, quinn::Endpoint);

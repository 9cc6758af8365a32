//! Peers that take next to nothing of what is sent to them.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use common::bounded::within;
use common::hostile::ROLES;
use common::narrow::Narrow;
use common::raw::{H3_NO_ERROR, close_capsule, data, reset_code};
use wt_connection::Session;

#[tokio::test]
async fn a_session_that_is_closed_in_the_middle_of_our_drain_ends_in_a_reset() {
    // Its stream was finished inside a frame, for which the peer may close the connection.
    within(async {
        for role in ROLES {
            let mut narrow = Narrow::session(role).await;
            narrow.session.drain();
            round_trip(&narrow.session, &narrow.quic).await;

            let close = data(&close_capsule(7, b"over"));
            narrow.send.write_all(&close).await.unwrap();
            narrow.send.finish().unwrap();

            narrow.session.closed().await;
            assert_eq!(reset_code(&mut narrow.recv).await, H3_NO_ERROR, "{role:?}");
        }
    })
    .await;
}

/// Waits until the session's side has done what it was asked to do.
async fn round_trip(session: &Session, quic: &quinn::Connection) {
    session.send_datagram("x").unwrap();
    quic.read_datagram().await.unwrap();
}

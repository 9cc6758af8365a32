//! How a session ends, and what each side learns of it.

use webtrans_quinn::{Session as TheirSession, SessionError as TheirError, quinn};
use wt_connection::{ConnectionError, Session, SessionError};

use crate::ours::{in_time, on_the_wire};
use crate::webtrans_quinn::peer::{from_our_client, from_their_client};

#[tokio::test]
async fn their_client_reads_the_code_and_reason_of_our_server_s_close() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        our_close_is_read(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_the_code_and_reason_of_our_client_s_close() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        our_close_is_read(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_reads_our_server_s_dropped_session_as_closed() {
    in_time(async {
        let (ours, _theirs) = from_their_client().await;
        our_drop_is_read(ours).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_our_client_s_dropped_session_as_closed() {
    in_time(async {
        let (ours, _theirs) = from_our_client().await;
        our_drop_is_read(ours).await;
    })
    .await;
}

#[tokio::test]
async fn our_server_reads_the_code_and_reason_of_their_client_s_close() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        their_close_is_read(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_reads_the_code_and_reason_of_their_server_s_close() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        their_close_is_read(&ours, &theirs).await;
    })
    .await;
}

/// Ours says why by a capsule. Theirs closes QUIC with the same, which it keeps from its own
/// application.
async fn our_close_is_read(ours: &Session, theirs: &TheirSession) {
    ours.close(42, "done here");

    let ended = ours.closed().await;
    assert!(matches!(&ended, SessionError::Closed(close) if close.code() == 42));
    let connection = ours.connection().closed().await;
    assert_eq!(connection, closed_by_peer(42, b"done here"));
    assert_locally_closed(theirs).await;
}

/// Nobody said why, which is code 0.
async fn our_drop_is_read(ours: Session) {
    let connection = ours.connection().clone();
    drop(ours);

    assert_eq!(connection.closed().await, closed_by_peer(0, b""));
}

/// Theirs says why by a capsule, and by the code of the connection.
async fn their_close_is_read(ours: &Session, theirs: &TheirSession) {
    theirs.close(42, b"done here");

    let SessionError::ClosedByPeer(close) = ours.closed().await else {
        panic!("closed by another way");
    };
    assert_eq!((close.code(), close.reason()), (42, "done here"));
    let connection = ours.connection().closed().await;
    assert_eq!(connection, closed_by_peer(42, b"done here"));
    assert_locally_closed(theirs).await;
}

async fn assert_locally_closed(theirs: &TheirSession) {
    let end = theirs.closed().await;
    assert!(
        matches!(
            end,
            TheirError::ConnectionError(quinn::ConnectionError::LocallyClosed)
        ),
        "ended by {end}"
    );
}

fn closed_by_peer(code: u32, reason: &[u8]) -> ConnectionError {
    ConnectionError::ClosedByPeer {
        code: on_the_wire(code),
        reason: reason.to_vec().into(),
    }
}

//! How a session ends, and what each side learns of it.

use wt_connection::{ConnectionError, Session, SessionError};
use wtransport::error::ConnectionError as TheirError;
use wtransport::{Connection, VarInt};

use crate::ours::in_time;
use crate::wtransport::peer::{from_our_client, from_their_client};

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
        let (ours, theirs) = from_their_client().await;
        our_drop_is_read(ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_our_client_s_dropped_session_as_closed() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        our_drop_is_read(ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_s_close_ends_our_server_s_connection_with_its_code() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        their_close_is_the_connection_s(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_s_close_ends_our_client_s_connection_with_its_code() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        their_close_is_the_connection_s(&ours, &theirs).await;
    })
    .await;
}

/// Ours says why by a capsule, to which theirs answers by the end of the connection.
async fn our_close_is_read(ours: &Session, theirs: &Connection) {
    ours.close(42, "done here");

    let read = read_close(theirs).await;
    assert_eq!(read, (VarInt::from_u32(42), b"done here".to_vec()));
    let ended = ours.closed().await;
    assert!(matches!(&ended, SessionError::Closed(close) if close.code() == 42));
    let connection = ours.connection().closed().await;
    assert_eq!(connection, closed_by_peer(H3_NO_ERROR, b""));
}

/// Nobody said why, which is code 0.
async fn our_drop_is_read(ours: Session, theirs: &Connection) {
    drop(ours);

    assert_eq!(read_close(theirs).await, (VarInt::from_u32(0), vec![]));
}

async fn their_close_is_the_connection_s(ours: &Session, theirs: &Connection) {
    theirs.close(VarInt::from_u32(42), b"done here");

    let closed = closed_by_peer(42, b"done here");
    assert_eq!(
        ours.closed().await,
        SessionError::Connection(closed.clone())
    );
    assert_eq!(ours.connection().closed().await, closed);
}

/// The code and reason of the capsule, of which whoever waits for something else is told.
async fn read_close(theirs: &Connection) -> (VarInt, Vec<u8>) {
    match theirs.accept_uni().await.unwrap_err() {
        TheirError::ApplicationClosed(close) => (close.code(), close.reason().to_vec()),
        other => panic!("ended by {other}"),
    }
}

fn closed_by_peer(code: u64, reason: &[u8]) -> ConnectionError {
    ConnectionError::ClosedByPeer {
        code,
        reason: reason.to_vec().into(),
    }
}

const H3_NO_ERROR: u64 = 0x100;

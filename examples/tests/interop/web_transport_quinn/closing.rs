//! How a session ends, and what each side learns of it.

use web_transport_quinn::{
    Session as TheirSession, SessionError as TheirError, WebTransportError, quinn,
};
use wt_connection::{ConnectionError, Session, SessionError};

use crate::ours::{in_time, on_the_wire};
use crate::web_transport_quinn::peer::{from_our_client, from_their_client};

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

/// Ours says why by a capsule, to which theirs answers by the end of the connection.
async fn our_close_is_read(ours: &Session, theirs: &TheirSession) {
    ours.close(42, "done here");

    assert_eq!(read_close(theirs).await, (42, "done here".to_owned()));
    let ended = ours.closed().await;
    assert!(matches!(&ended, SessionError::Closed(close) if close.code() == 42));
    let connection = ours.connection().closed().await;
    assert_eq!(connection, closed_by_peer(b"done here"));
}

/// Nobody said why, which is code 0.
async fn our_drop_is_read(ours: Session, theirs: &TheirSession) {
    drop(ours);

    assert_eq!(read_close(theirs).await, (0, String::new()));
}

/// Theirs says why by a capsule, and by the code of the connection.
async fn their_close_is_read(ours: &Session, theirs: &TheirSession) {
    theirs.close(42, b"done here");

    let SessionError::ClosedByPeer(close) = ours.closed().await else {
        panic!("closed by another way");
    };
    assert_eq!((close.code(), close.reason()), (42, "done here"));
    assert_eq!(ours.connection().closed().await, closed_by_peer(b""));
    assert!(matches!(
        theirs.closed().await,
        TheirError::ConnectionError(quinn::ConnectionError::LocallyClosed)
    ));
}

async fn read_close(theirs: &TheirSession) -> (u32, String) {
    match theirs.closed().await {
        TheirError::WebTransportError(WebTransportError::Closed(code, reason)) => (code, reason),
        other => panic!("ended by {other}"),
    }
}

fn closed_by_peer(reason: &[u8]) -> ConnectionError {
    ConnectionError::ClosedByPeer {
        code: on_the_wire(42),
        reason: reason.to_vec().into(),
    }
}

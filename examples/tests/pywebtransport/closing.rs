//! How a session ends. Theirs takes and sends capsules without the frame that HTTP/3 has around
//! them, so that neither side reads why the other closes, or what credit it gives back.

use wt_connection::{ConnectionError, Session, SessionError};

use crate::ours::in_time;
use crate::peer::{from_our_client, from_their_client};

#[tokio::test]
async fn our_server_reads_no_code_of_their_client_s_close() {
    in_time(async {
        let (_peer, session) = from_their_client("/close").await;
        their_close_is_silent(&session).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_reads_no_code_of_their_server_s_close() {
    in_time(async {
        let (_peer, session) = from_our_client("/close").await;
        their_close_is_silent(&session).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_ends_the_connection_at_our_server_s_close() {
    in_time(async {
        let (_peer, session) = from_their_client("/echo/a").await;
        our_close_ends_the_connection(&session).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_ends_the_connection_at_our_client_s_close() {
    in_time(async {
        let (_peer, session) = from_our_client("/echo/a").await;
        our_close_ends_the_connection(&session).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_ends_the_connection_once_its_first_credit_is_used_up() {
    in_time(async {
        let (_peer, session) = from_their_client("/echo/a").await;
        used_up_credit_ends_the_connection(&session).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_ends_the_connection_once_its_first_credit_is_used_up() {
    in_time(async {
        let (_peer, session) = from_our_client("/echo/a").await;
        used_up_credit_ends_the_connection(&session).await;
    })
    .await;
}

/// A frame of a type that HTTP/3 does not have is skipped, and the stream's end has code 0.
async fn their_close_is_silent(session: &Session) {
    let end = session.closed().await;
    let SessionError::ClosedByPeer(close) = &end else {
        panic!("ended by {end}");
    };
    assert_eq!((close.code(), close.reason()), (0, ""));
}

/// Theirs takes the frame for one that is not allowed there, and its application hears nothing.
async fn our_close_ends_the_connection(session: &Session) {
    session.close(42, "done here");

    unexpected_frame_ends_the_connection(session).await;
}

/// We say that we are blocked, by a capsule.
async fn used_up_credit_ends_the_connection(session: &Session) {
    let mut send = session.open_uni().await.unwrap();

    let write = send.write_all(&vec![b'x'; FIRST_CREDIT]).await;
    assert_eq!(write, Ok(()));
    send.write_all(b"x").await.unwrap_err();

    unexpected_frame_ends_the_connection(session).await;
}

async fn unexpected_frame_ends_the_connection(session: &Session) {
    let end = session.connection().closed().await;
    assert!(
        matches!(
            end,
            ConnectionError::ClosedByPeer {
                code: H3_FRAME_UNEXPECTED,
                ..
            }
        ),
        "ended by {end}"
    );
}

/// That of `session.py`.
const FIRST_CREDIT: usize = 2 << 20;
const H3_FRAME_UNEXPECTED: u64 = 0x105;

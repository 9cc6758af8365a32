//! How one of several sessions ends, and what each side learns of it.

use serde_json::json;
use wt_connection::SessionError;

use crate::draft::Draft;
use crate::ours::in_time;
use crate::peer::Peer;
use crate::sessions::{Opened, from_our_client, from_their_client};

each_draft! {
    our_server_reads_the_code_and_reason_of_their_client_s_close,
    our_client_reads_the_code_and_reason_of_their_server_s_close,
    their_client_reads_the_code_and_reason_of_our_server_s_close,
    their_server_reads_the_code_and_reason_of_our_client_s_close,
}

async fn our_server_reads_the_code_and_reason_of_their_client_s_close(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_their_client(draft, THEIRS_CLOSES).await;
        their_close_is_read(peer, &opened).await;
    })
    .await;
}

async fn our_client_reads_the_code_and_reason_of_their_server_s_close(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_our_client(draft, THEIRS_CLOSES).await;
        their_close_is_read(peer, &opened).await;
    })
    .await;
}

async fn their_client_reads_the_code_and_reason_of_our_server_s_close(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_their_client(draft, OURS_CLOSES).await;
        our_close_is_read(peer, &opened).await;
    })
    .await;
}

async fn their_server_reads_the_code_and_reason_of_our_client_s_close(draft: Draft) {
    in_time(async {
        let (peer, opened) = from_our_client(draft, OURS_CLOSES).await;
        our_close_is_read(peer, &opened).await;
    })
    .await;
}

/// Theirs closes the session in the middle; ours answers by an end without a capsule.
async fn their_close_is_read(mut peer: Peer, [a, closed, c]: &[Opened; 3]) {
    let end = closed.session.closed().await;

    let close = match &end {
        SessionError::ClosedByPeer(close) => (close.code(), close.reason()),
        other => panic!("ended by {other}"),
    };
    assert_eq!(close, (42, "/close/b is done"));
    peer.says([json!({ "path": "/close/b", "code": 0, "reason": "" })])
        .await;
    tokio::join!(a.lives(), c.lives());
}

/// Ours closes the session in the middle; theirs says what the capsule says at the stream's end.
async fn our_close_is_read(mut peer: Peer, [a, closing, c]: &[Opened; 3]) {
    closing.session.close(CODE, REASON);

    peer.says([json!({ "path": "/echo/b", "code": CODE, "reason": REASON })])
        .await;
    let end = closing.session.closed().await;
    assert!(matches!(end, SessionError::Closed(close) if close.code() == CODE));
    tokio::join!(a.lives(), c.lives());
}

const THEIRS_CLOSES: [&str; 3] = ["/echo/a", "/close/b", "/echo/c"];
const OURS_CLOSES: [&str; 3] = ["/echo/a", "/echo/b", "/echo/c"];

/// No byte of it is like another.
const CODE: u32 = 0xfedc_ba98;
const REASON: &str = "genug für heute";

use examples::splice::{LOST, splice};
use wt_connection::SessionError;

use crate::world::{pair, soon};

/// Finished, the stream would look complete; and closed with code 0, so would the sessions.
#[tokio::test]
async fn a_splice_that_is_dropped_breaks_off_with_an_error() {
    let ((client, near), (far, server)) = (pair().await, pair().await);
    let splicing = tokio::spawn(splice(near, far));
    let mut send = client.open_uni().await.unwrap();
    send.write_all(b"half of").await.unwrap();
    let mut recv = soon(server.accept_uni()).await.unwrap();
    soon(recv.read_chunk(7)).await.unwrap();

    splicing.abort();

    let broken = soon(recv.read_chunk(1)).await;
    assert!(broken.is_err(), "{broken:?}");
    for session in [client, server] {
        let SessionError::ClosedByPeer(close) = soon(session.closed()).await else {
            panic!("the session was not closed");
        };
        assert_eq!((close.code(), close.reason()), (LOST, "the proxy gave up"));
    }
}

//! The codes of streams, with either of two crates that call things by the same names.

use wt_connection::{ReadError, Session, WriteError};

use super::peer::{TheirReadError, TheirSession, from_our_client, from_their_client};
use crate::end::begin;
use crate::ours::in_time;

#[tokio::test]
async fn their_client_and_our_server_read_each_other_s_stream_codes() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        codes_are_read(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn our_client_and_their_server_read_each_other_s_stream_codes() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        codes_are_read(&ours, &theirs).await;
    })
    .await;
}

async fn codes_are_read(ours: &Session, theirs: &TheirSession) {
    for code in [0, 29, 30, 42, u32::MAX] {
        let (mut send, mut their_recv) = begin(ours, theirs).await;
        send.reset(code).unwrap();
        let read = their_recv.read(&mut [0]).await;
        assert!(matches!(read, Err(TheirReadError::Reset(read)) if read == code));

        let (mut their_send, mut recv) = begin(theirs, ours).await;
        their_send.reset(code).unwrap();
        let read = recv.read_chunk(1).await;
        assert_eq!(read, Err(ReadError::Reset(Some(code))));

        let (their_send, mut recv) = begin(theirs, ours).await;
        recv.stop(code).unwrap();
        assert_eq!(their_send.stopped().await.unwrap(), Some(code));

        let (mut send, mut their_recv) = begin(ours, theirs).await;
        their_recv.stop(code).unwrap();
        assert_eq!(send.stopped().await, Ok(Some(code)));
        let written = send.write_all(b"x").await;
        assert_eq!(written, Err(WriteError::Stopped(Some(code))));
    }

    let (their_send, recv) = begin(theirs, ours).await;
    drop(recv);
    assert_eq!(their_send.stopped().await.unwrap(), Some(0));

    // Dropped, theirs is stopped by quinn, whose 0 is none of an application's.
    let (mut send, their_recv) = begin(ours, theirs).await;
    drop(their_recv);
    assert_eq!(send.stopped().await, Err(WriteError::Stopped(None)));
}

//! The codes of streams.

use wt_connection::{ReadError, Session, WriteError};
use wtransport::error::{StreamReadError, StreamWriteError};
use wtransport::{Connection, VarInt};

use crate::end::begin;
use crate::ours::{in_time, on_the_wire};
use crate::wtransport::peer::{from_our_client, from_their_client};

#[tokio::test]
async fn their_client_s_raw_stream_codes_are_none_of_an_application_s() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        their_codes_are_raw(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_s_raw_stream_codes_are_none_of_an_application_s() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        their_codes_are_raw(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_client_reads_our_server_s_stream_codes_as_they_travel() {
    in_time(async {
        let (ours, theirs) = from_their_client().await;
        our_codes_are_mapped(&ours, &theirs).await;
    })
    .await;
}

#[tokio::test]
async fn their_server_reads_our_client_s_stream_codes_as_they_travel() {
    in_time(async {
        let (ours, theirs) = from_our_client().await;
        our_codes_are_mapped(&ours, &theirs).await;
    })
    .await;
}

async fn their_codes_are_raw(ours: &Session, theirs: &Connection) {
    for (code, read) in [(0, None), (42, None), (on_the_wire(42), Some(42))] {
        let code = VarInt::try_from_u64(code).unwrap();

        let (mut their_send, mut recv) = begin(theirs, ours).await;
        their_send.reset(code).unwrap();
        assert_eq!(recv.read_chunk(1).await, Err(ReadError::Reset(read)));

        let (mut send, their_recv) = begin(ours, theirs).await;
        their_recv.stop(code);
        let stopped = match read {
            Some(code) => Ok(Some(code)),
            None => Err(WriteError::Stopped(None)),
        };
        assert_eq!(send.stopped().await, stopped);
        assert_eq!(send.write_all(b"x").await, Err(WriteError::Stopped(read)));
    }
}

async fn our_codes_are_mapped(ours: &Session, theirs: &Connection) {
    for code in [0, 42, u32::MAX] {
        let raw = VarInt::try_from_u64(on_the_wire(code)).unwrap();

        let (mut send, mut their_recv) = begin(ours, theirs).await;
        send.reset(code).unwrap();
        let read = their_recv.read(&mut [0]).await;
        assert_eq!(read, Err(StreamReadError::Reset(raw)));

        let (mut their_send, mut recv) = begin(theirs, ours).await;
        recv.stop(code).unwrap();
        assert_eq!(their_send.stopped().await, StreamWriteError::Stopped(raw));
    }
}

//! Streams that break off, and the codes that the other side reads.

use serde_json::{Value, json};
use wt_connection::{BiStream, ReadError, Session, WriteError};

use crate::draft::Draft;
use crate::site::{Case, in_session};

each_draft! {
    the_server_reads_the_codes_of_streams_that_the_page_aborts,
    the_server_reads_the_codes_of_streams_that_the_page_cancels,
    the_page_reads_the_codes_of_streams_that_the_server_resets,
    the_page_reads_the_codes_of_streams_that_the_server_stops,
}

async fn the_server_reads_the_codes_of_streams_that_the_page_aborts(draft: Draft) {
    in_session(case(draft, "aborts"), async |session| {
        for code in CODES_OF_THE_PAGE {
            let mut stream = begun(session).await;
            stream.send.write_all(b"!").await.unwrap();

            let read = stream.recv.read(&mut [0]).await;

            assert_eq!(read, Err(ReadError::Reset(Some(code))));
        }
    })
    .await;
}

async fn the_server_reads_the_codes_of_streams_that_the_page_cancels(draft: Draft) {
    in_session(case(draft, "cancels"), async |session| {
        for code in CODES_OF_THE_PAGE {
            let mut stream = begun(session).await;

            let stopped = stream.send.stopped().await;

            assert_eq!(stopped, Ok(Some(code)));
            let write = stream.send.write(b"!").await;
            assert_eq!(write, Err(WriteError::Stopped(Some(code))));
        }
    })
    .await;
}

async fn the_page_reads_the_codes_of_streams_that_the_server_resets(draft: Draft) {
    let (returned, _) = in_session(case(draft, "isReset"), async |session| {
        let mut streams = Vec::new();
        for code in CODES_OF_THE_SERVER {
            let mut stream = begun(session).await;
            stream.send.reset(code).unwrap();
            streams.push(stream);
        }
        streams
    })
    .await;

    assert_eq!(returned, failures());
}

async fn the_page_reads_the_codes_of_streams_that_the_server_stops(draft: Draft) {
    let (returned, _) = in_session(case(draft, "isStopped"), async |session| {
        let mut streams = Vec::new();
        for code in CODES_OF_THE_SERVER {
            let mut stream = begun(session).await;
            stream.recv.stop(code).unwrap();
            streams.push(stream);
        }
        streams
    })
    .await;

    assert_eq!(returned, failures());
}

/// Accepts a stream that the page has begun.
async fn begun(session: &Session) -> BiStream {
    let mut stream = session.accept_bi().await.unwrap();
    stream.recv.read(&mut [0]).await.unwrap();
    stream
}

/// What the page reads, stream by stream.
fn failures() -> Value {
    let failure =
        |code| json!({ "name": "WebTransportError", "source": "stream", "streamErrorCode": code });
    CODES_OF_THE_SERVER.map(failure).into_iter().collect()
}

fn case(draft: Draft, name: &'static str) -> Case {
    Case::new(draft, include_str!("resets.js"), name)
}

/// Those of the script.
const CODES_OF_THE_PAGE: [u32; 4] = [0, 29, 30, 255];
const CODES_OF_THE_SERVER: [u32; 4] = [0, 29, 30, u32::MAX];

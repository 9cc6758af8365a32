use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;
use wt_connection::{Session, SessionError};

use crate::splice::end::{Ends, passed_on};
use crate::splice::{datagrams, streams};

/// Carries everything between two sessions until one of them is over, and closes the other as that
/// one ended: with the same code and reason, or with [`LOST`](crate::splice::LOST) if nobody gave
/// any.
///
/// Streams keep their order, their kind, their end, and the codes that they are reset and stopped
/// with; 0 where the code is none of an application's. Datagrams that do not fit the other path, or
/// that it has no room for, are lost, as datagrams may be. Either side's wish to finish is passed
/// on.
///
/// Who closes knows some of its streams to have arrived: here. They are delivered first, as long as
/// that takes less than ten seconds.
///
/// # Bounds
///
/// A stream takes a task for each pair, and one chunk of 64 KiB for each direction. What a peer
/// sends is not read before the other has taken what came before, and a stream is not accepted
/// before there is room for it on the other side: QUIC's limits on both paths bound the rest. A
/// direction that waits to write sees no reset until it has written.
///
/// # Cancel safety
///
/// Dropped, it resets the streams and closes both sessions with [`LOST`](crate::splice::LOST).
pub async fn splice(client: Session, backend: Session) {
    let ends = Ends::new(client, backend);
    let (client, backend) = (ends.client(), ends.backend());
    let mut carrying = pin!(async {
        tokio::join!(
            streams::carry(client, backend),
            streams::carry(backend, client),
            datagrams::carry(client, backend),
            datagrams::carry(backend, client),
            drain(client, backend),
        )
    });
    // What broke off is kept until the sessions are over, or it would look finished.
    let _kept = tokio::select! {
        kept = &mut carrying => Some(kept),
        () = overdue(client, backend) => None,
    };
    let (end, other) = first_end(client, backend).await;
    let (code, reason) = passed_on(&end);
    other.close(code, reason);
    other.closed().await;
}

/// Tells both sides once either wants to finish.
async fn drain(client: &Session, backend: &Session) {
    tokio::select! {
        () = client.draining() => {}
        () = backend.draining() => {}
    }
    client.drain();
    backend.drain();
}

/// Ends when what one side has left behind has had its time to be delivered.
async fn overdue(client: &Session, backend: &Session) {
    first_end(client, backend).await;
    sleep(DELIVERY).await;
}

/// How the one ended that was first, and the other.
async fn first_end<'a>(client: &'a Session, backend: &'a Session) -> (SessionError, &'a Session) {
    tokio::select! {
        biased;
        end = client.closed() => (end, backend),
        end = backend.closed() => (end, client),
    }
}

/// How long the streams of a session that is over may take to be delivered.
const DELIVERY: Duration = Duration::from_secs(10);

use tokio::task::JoinSet;
use wt_connection::{Endpoint, Incoming, RecvStream, SendStream, Session, SessionRequest};

use crate::{BoxError, causes};

/// Echoes in every session of every client, until the endpoint is closed.
///
/// A bidirectional stream is answered on itself, a unidirectional one on one of the server's own,
/// a datagram by a datagram. Dropped, it gives up all connections.
pub async fn serve(endpoint: Endpoint) {
    let mut connections = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() < MAX_CONNECTIONS {
            connections.spawn(connection(incoming));
        } else {
            incoming.refuse();
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one client; [`Limits`](wt_connection::Limits) bounds how many sessions it has at once.
async fn connection(incoming: Incoming) {
    let client = incoming.remote_address();
    let connection = match incoming.await {
        Ok(connection) => connection,
        Err(error) => return println!("server: {client}: {}", causes(&error)),
    };
    let mut sessions = JoinSet::new();
    while let Ok(request) = connection.accept().await {
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session(request));
    }
    while sessions.join_next().await.is_some() {}
}

/// Accepts whoever asks; a server for browsers would look at `request.origin()` first, and
/// `request.reject(status)` those that it does not know.
async fn session(request: SessionRequest) {
    let path = request.uri().path().to_owned();
    let Ok(session) = request.accept().await else {
        return;
    };
    // It fails by the end of the session, which `closed` tells, too.
    let _ = echo(&session).await;
    let end = session.closed().await;
    println!("server: session {} at {path}: {end}", session.id());
}

/// Answers streams and datagrams as they come; QUIC's limits bound how many streams there are.
async fn echo(session: &Session) -> Result<(), BoxError> {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            stream = session.accept_bi() => {
                let (send, recv) = stream?.split();
                streams.spawn(copy(recv, send));
            }
            stream = session.accept_uni() => {
                streams.spawn(answer(session.clone(), stream?));
            }
            // Where the way back takes no datagram as large, it is lost, as datagrams may be.
            datagram = session.read_datagram() => drop(session.send_datagram(datagram?)),
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn answer(session: Session, recv: RecvStream) -> Result<(), BoxError> {
    let send = session.open_uni().await?;
    copy(recv, send).await
}

async fn copy(mut recv: RecvStream, mut send: SendStream) -> Result<(), BoxError> {
    loop {
        match recv.read_chunk(usize::MAX).await {
            Ok(Some(chunk)) => send.write_chunk(chunk).await?,
            Ok(None) => return Ok(send.finish()?),
            Err(error) => {
                // Only dropped, it would be finished, and look complete.
                let _ = send.reset(BROKEN_OFF);
                return Err(error.into());
            }
        }
    }
}

const MAX_CONNECTIONS: usize = 1_000;
const BROKEN_OFF: u32 = 1;

use std::time::Duration;

use tokio::time::{Instant, timeout};
use wt_connection::{SendStream, Session};

use crate::BoxError;

/// Sends `payload` on a bidirectional stream, and says how long it took to come back.
///
/// # Errors
///
/// Fails if something else comes back.
pub async fn bi(session: &Session, payload: &[u8]) -> Result<Duration, BoxError> {
    let start = Instant::now();
    let (send, mut recv) = session.open_bi().await?.split();
    let receive = async { Ok(recv.read_to_end(payload.len()).await?) };
    // At the same time: neither side keeps more of it than QUIC's windows.
    let ((), answer) = tokio::try_join!(write(send, payload), receive)?;
    check(payload, &answer)?;
    Ok(start.elapsed())
}

/// Sends `payload` on a unidirectional stream, and says how long it took to come back on one of
/// the server's.
///
/// # Errors
///
/// Fails if something else comes back.
pub async fn uni(session: &Session, payload: &[u8]) -> Result<Duration, BoxError> {
    let start = Instant::now();
    let send = session.open_uni().await?;
    let receive = async {
        let mut recv = session.accept_uni().await?;
        Ok(recv.read_to_end(payload.len()).await?)
    };
    let ((), answer) = tokio::try_join!(write(send, payload), receive)?;
    check(payload, &answer)?;
    Ok(start.elapsed())
}

/// Sends `payload` as a datagram, and says how long it took to come back.
///
/// # Errors
///
/// Fails if something else comes back, or nothing, often enough that it cannot be chance.
pub async fn datagram(session: &Session, payload: &[u8]) -> Result<Duration, BoxError> {
    for _ in 0..DATAGRAM_TRIES {
        let start = Instant::now();
        session.send_datagram(payload)?;
        if let Ok(answer) = timeout(DATAGRAM_PATIENCE, session.read_datagram()).await {
            check(payload, &answer?)?;
            return Ok(start.elapsed());
        }
    }
    Err("no datagram came back".into())
}

async fn write(mut send: SendStream, payload: &[u8]) -> Result<(), BoxError> {
    send.write_all(payload).await?;
    Ok(send.finish()?)
}

fn check(sent: &[u8], received: &[u8]) -> Result<(), BoxError> {
    if sent == received {
        return Ok(());
    }
    let (sent, received) = (sent.len(), received.len());
    Err(format!("sent {sent} bytes, and {received} others came back").into())
}

const DATAGRAM_TRIES: usize = 5;
const DATAGRAM_PATIENCE: Duration = Duration::from_secs(1);

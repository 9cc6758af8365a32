use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use quinn::{StoppedError, WriteError};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::Core;
use crate::error::PingError;
use crate::proto::code;
use crate::{wait, wire};

/// Measures how long the peer takes to answer.
pub(crate) async fn ping(core: &Core, limit: Duration) -> Result<Duration, PingError> {
    let mut lacking = PingError::NoStream;
    let answered = timeout(limit, measure(core, &mut lacking)).await;
    answered.unwrap_or(Err(lacking))
}

/// Notes in `lacking` what it waits for.
async fn measure(core: &Core, lacking: &mut PingError) -> Result<Duration, PingError> {
    let lost = |error| PingError::from(core.lost(error));
    // What is sent before is no question to a server that may know nothing of it.
    core.handshaken().await?;
    let mut stream = PingStream {
        stream: core.quinn.open_uni().await.map_err(lost)?,
        core,
    };
    *lacking = PingError::TimedOut;
    let frames = core.quinn.stats().frame_tx.stream;
    let began = Instant::now();
    stream.send().map_err(lost)?;
    tokio::select! {
        biased;
        answer = stream.stream.stopped() => match answer {
            // The peer wants nothing of the stream, or has all of it: either is an answer.
            Ok(_) | Err(StoppedError::ZeroRttRejected) => Ok(began.elapsed()),
            Err(StoppedError::ConnectionLost(error)) => Err(lost(error)),
        },
        never = press(core, frames) => match never {},
    }
}

/// Sends something behind the ping, in packets of its own.
///
/// A peer may keep its acknowledgement of one packet back for its `max_ack_delay`, mostly 25 ms; at
/// the second it has to answer ([RFC 9000 §13.2.2]).
///
/// [RFC 9000 §13.2.2]: https://www.rfc-editor.org/rfc/rfc9000#section-13.2.2
async fn press(core: &Core, frames: u64) -> Infallible {
    for _ in 0..TURNS {
        yield_now().await;
        if core.quinn.stats().frame_tx.stream > frames {
            break;
        }
    }
    core.nudge();
    // Where both have left in one packet after all.
    sleep(AGAIN).await;
    core.nudge();
    std::future::pending().await
}

/// A stream of a reserved type, which every peer passes over. Dropped unanswered, it is reset.
struct PingStream<'a> {
    stream: quinn::SendStream,
    core: &'a Core,
}

impl PingStream<'_> {
    fn send(&mut self) -> Result<(), quinn::ConnectionError> {
        // Ahead of what the application has to send.
        let _ = self.stream.set_priority(i32::MAX);
        // Where the peer's window is used up, the stream goes without its type, as it may
        // (RFC 9114 §6.2).
        let written = wait::at_once(pin!(self.stream.write(&[RESERVED_TYPE])));
        if let Some(Err(WriteError::ConnectionLost(error))) = written {
            return Err(error);
        }
        // One that the peer has stopped already is answered.
        let _ = self.stream.finish();
        Ok(())
    }
}

impl Drop for PingStream<'_> {
    fn drop(&mut self) {
        let code = wire::varint(code::H3_NO_ERROR);
        // One that is answered is closed.
        let _ = self.core.left_behind.reset(&mut self.stream, code);
    }
}

/// The first of those that mean nothing
/// ([RFC 9114 §6.2.3](https://www.rfc-editor.org/rfc/rfc9114#section-6.2.3)).
const RESERVED_TYPE: u8 = 0x21;

/// How often QUIC is given a turn to send the ping.
const TURNS: usize = 16;
/// The least time that a timer can tell.
const AGAIN: Duration = Duration::from_millis(1);

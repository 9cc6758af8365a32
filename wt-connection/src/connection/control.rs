use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::coop::consume_budget;
use tokio::time::sleep;

use crate::connection::Core;
use crate::connection::stop::Stop;
use crate::proto::code;
use crate::proto::control::{self, ControlEvent, ControlReader, Side};
use crate::proto::fault::ConnectionFault;
use crate::proto::qpack::{self, DecoderStream};
use crate::proto::stream_header::Kind;

/// The peer's critical streams: its control stream, and the two of QPACK, which carry next to
/// nothing since the tables have no room.
#[derive(Debug)]
pub(crate) struct CriticalStreams {
    reader: ControlReader,
    control: Option<quinn::RecvStream>,
    encoder: Option<quinn::RecvStream>,
    decoder: Option<quinn::RecvStream>,
    decoded: DecoderStream,
}

impl CriticalStreams {
    pub(crate) fn new(core: &Core) -> Self {
        Self {
            reader: ControlReader::new(core.side),
            control: None,
            encoder: None,
            decoder: None,
            decoded: DecoderStream::default(),
        }
    }

    /// Takes in a stream of `kind`, with what has arrived after its type.
    pub(crate) fn adopt(
        &mut self,
        kind: Kind,
        stream: quinn::RecvStream,
        rest: &Bytes,
    ) -> Result<(), ConnectionFault> {
        let place = match kind {
            Kind::Control => {
                self.reader.push(rest);
                &mut self.control
            }
            Kind::QpackEncoder => {
                qpack::check_encoder_stream(rest)?;
                &mut self.encoder
            }
            _ => {
                self.decoded.push(rest)?;
                &mut self.decoder
            }
        };
        if place.replace(stream).is_some() {
            return Err(SECOND);
        }
        Ok(())
    }

    /// Reads all that there is to read, and applies it to the connection; never ends without a
    /// fault.
    ///
    /// Cancel safe: what has been read has been applied.
    pub(crate) async fn run(&mut self, core: &Core) -> ConnectionFault {
        loop {
            while let Some(event) = match self.reader.next() {
                Ok(event) => event,
                Err(fault) => return fault,
            } {
                match event {
                    ControlEvent::Settings(settings) => {
                        if let Err(fault) = core.set_peer(settings) {
                            return fault;
                        }
                    }
                    ControlEvent::GoAway(id) => core.go_away(id),
                }
                consume_budget().await;
            }
            // Others have their turn, however much there is of either.
            consume_budget().await;
            let read = tokio::select! {
                chunk = read(&mut self.control) => chunk.map(|chunk| {
                    self.reader.push(&chunk);
                }),
                chunk = read(&mut self.encoder) => {
                    chunk.and_then(|chunk| qpack::check_encoder_stream(&chunk))
                }
                chunk = read(&mut self.decoder) => {
                    chunk.and_then(|chunk| self.decoded.push(&chunk))
                }
            };
            if let Err(fault) = read {
                return fault;
            }
        }
    }
}

/// Reads what comes next; the end of a critical stream is a fault, that of the connection is told
/// elsewhere.
async fn read(stream: &mut Option<quinn::RecvStream>) -> Result<Bytes, ConnectionFault> {
    let Some(stream) = stream else {
        return std::future::pending().await;
    };
    match stream.read_chunk(usize::MAX, true).await {
        Ok(Some(chunk)) => Ok(chunk.bytes),
        Ok(None) | Err(quinn::ReadError::Reset(_)) => Err(CLOSED),
        Err(_) => std::future::pending().await,
    }
}

/// Opens this side's control stream, and sends SETTINGS on it.
///
/// The stream must stay open as long as the connection.
pub(crate) async fn open(core: &Core) -> Result<quinn::SendStream, Stop> {
    let mut stream = core
        .quinn
        .open_uni()
        .await
        .map_err(|error| Stop::Lost(error.into()))?;
    // Ahead of every stream of the application's.
    let _ = stream.set_priority(i32::MAX);
    write(&mut stream, &control::opening(&core.settings())).await?;
    Ok(stream)
}

/// Sends GOAWAY once this side is to drain, and what means nothing whenever that is wanted; ends
/// with the connection, or once the peer wants no more of the stream, which it may not
/// ([RFC 9114 §6.2.1](https://www.rfc-editor.org/rfc/rfc9114#section-6.2.1)).
pub(crate) async fn attend(core: &Core, stream: &mut quinn::SendStream) -> Stop {
    let stopped = stream.stopped();
    tokio::select! {
        sent = send(core, stream) => match sent {
            Ok(never) => match never {},
            Err(stop) => stop,
        },
        never = settle(core) => match never {},
        Ok(Some(_)) = stopped => Stop::Fault(CLOSED),
    }
}

/// Settles which requests this side still processes, once it is to drain: those that were on their
/// way by then, whether the peer lets itself be told or not.
async fn settle(core: &Core) -> Infallible {
    core.goaway.asked().await;
    if core.side == Side::Client {
        // It processes none of the server's.
        return std::future::pending().await;
    }
    sleep((2 * core.quinn.rtt()).min(LONGEST_ROUND_TRIP)).await;
    core.goaway.cut_off(core.sessions.first_unseen());
    std::future::pending().await
}

async fn send(core: &Core, stream: &mut quinn::SendStream) -> Result<Infallible, Stop> {
    loop {
        tokio::select! {
            biased;
            () = core.goaway.asked() => break,
            () = core.nudged() => {}
        }
        // Outside of the choice: half a frame would break the stream.
        write(stream, &NOTHING).await?;
    }
    drain(core, stream).await?;
    loop {
        core.nudged().await;
        write(stream, &NOTHING).await?;
    }
}

/// A server sends GOAWAY twice ([RFC 9114 §5.2]): requests that were on their way when the first
/// one left are still processed.
///
/// [RFC 9114 §5.2]: https://www.rfc-editor.org/rfc/rfc9114#section-5.2
async fn drain(core: &Core, stream: &mut quinn::SendStream) -> Result<(), Stop> {
    match core.side {
        // A client's GOAWAY speaks of pushes, of which it takes none.
        Side::Client => write(stream, &control::goaway(0)).await,
        Side::Server => drain_server(core, stream).await,
    }
}

async fn drain_server(core: &Core, stream: &mut quinn::SendStream) -> Result<(), Stop> {
    write(stream, &control::goaway(LAST_REQUEST)).await?;
    let first = core.goaway.settled().await;
    write(stream, &control::goaway(first)).await
}

async fn write(stream: &mut quinn::SendStream, bytes: &[u8]) -> Result<(), Stop> {
    match stream.write_all(bytes).await {
        Ok(()) => Ok(()),
        Err(quinn::WriteError::ConnectionLost(error)) => Err(Stop::Lost(error.into())),
        Err(_) => Err(Stop::Fault(CLOSED)),
    }
}

/// An empty frame of a reserved type, which every peer passes over
/// ([RFC 9114 §7.2.8](https://www.rfc-editor.org/rfc/rfc9114#section-7.2.8)).
const NOTHING: [u8; 2] = [0x21, 0];

/// The last request that there can be.
const LAST_REQUEST: u64 = (1 << 62) - 4;
/// How long requests on their way are waited for at most.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

const SECOND: ConnectionFault = ConnectionFault::new(
    code::H3_STREAM_CREATION_ERROR,
    "a second critical stream of a type",
);
const CLOSED: ConnectionFault = ConnectionFault::new(
    code::H3_CLOSED_CRITICAL_STREAM,
    "a critical stream was closed",
);

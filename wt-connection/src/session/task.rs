use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::coop::consume_budget;
use tokio::time::{sleep, timeout};

use crate::error::{Close, SessionError};
use crate::proto::capsule::{Capsule, CapsuleReader};
use crate::proto::fault::{ConnectionFault, Fault};
use crate::proto::{code, draft};
use crate::session::core::SessionCore;
use crate::session::outbox::Outbox;
use crate::session::state::Ask;
use crate::sessions::Sessions;
use crate::{trace, wire};

/// Reads a session's CONNECT stream, and ends the session as either side wishes.
///
/// ```text
/// open ─► (flushing, once the last handle is gone) ─► ended ─► over
/// ```
///
/// Ended, no stream passes; over, the peer knows, and its count of sessions has one less. Of what
/// the peer has closed, only the end of the stream is still to come then.
pub(crate) struct SessionTask {
    core: Arc<SessionCore>,
    sessions: Arc<Sessions>,
    outbox: Outbox,
    recv: quinn::RecvStream,
    capsules: CapsuleReader,
    flush_timeout: Duration,
}

/// How the session's own stream ended.
#[derive(Debug)]
enum End {
    /// By this side: the peer has to be told.
    Local(SessionError),
    /// By the peer, in order or not.
    Peer(SessionError),
    /// By a fault of the peer's.
    Fault(Fault),
    /// With its connection.
    Lost(SessionError),
}

impl SessionTask {
    pub(crate) fn new(
        core: Arc<SessionCore>,
        sessions: Arc<Sessions>,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
        flush_timeout: Duration,
    ) -> Self {
        let mut capsules = match core.flow() {
            Some(_) => {
                // What streams wait for does not wait behind them.
                let _ = send.set_priority(i32::MAX - 1);
                CapsuleReader::with_flow_control()
            }
            None => CapsuleReader::new(),
        };
        capsules.push(rest);
        Self {
            core,
            sessions,
            outbox: Outbox::new(send),
            recv,
            capsules,
            flush_timeout,
        }
    }

    /// Runs until the session is over; a fault is one that the whole connection has to end with.
    pub(crate) async fn run(mut self) -> Result<(), ConnectionFault> {
        let end = self.live().await;
        if let End::Local(error) | End::Peer(error) | End::Lost(error) = &end {
            trace::session_over(error);
        }
        let fault = match end {
            End::Local(error) => {
                self.core.end(&error);
                // Before the peer knows, which may then ask for another in this one's place.
                self.sessions.remove(self.core.id());
                // Whether it was in time or not, there is nothing more to do.
                let _ = timeout(self.flush_timeout, self.tell(&error)).await;
                self.abort(code::H3_NO_ERROR);
                None
            }
            End::Peer(error) => {
                // What the peer had finished before is not lost, wherever it is.
                self.sessions.arrivals().placed().await;
                self.core.end(&error);
                self.sessions.remove(self.core.id());
                // The application has no part in what follows.
                self.core.finish();
                match error {
                    SessionError::Aborted { .. } => {
                        self.abort(code::H3_REQUEST_CANCELLED);
                        None
                    }
                    _ => self.answer().await,
                }
            }
            End::Fault(fault) => self.punish(fault),
            End::Lost(error) => {
                self.core.end(&error);
                self.sessions.remove(self.core.id());
                None
            }
        };
        self.core.finish();
        fault.map_or(Ok(()), Err)
    }

    /// Goes on until one side or the other ends the session.
    async fn live(&mut self) -> End {
        let core = &self.core;
        tokio::select! {
            biased;
            end = wish(core, self.flush_timeout) => end,
            end = read(core, &mut self.recv, &mut self.capsules) => end,
            end = speak(core, &mut self.outbox) => end,
            never = core.sweep() => match never {},
        }
    }

    /// Sends the capsule, and waits until the peer has answered with the end of its direction: then
    /// it no longer counts the session.
    async fn tell(&mut self, error: &SessionError) {
        let Some(close) = error.close() else { return };
        let capsule = Capsule::Close {
            code: close.code(),
            reason: close.reason().to_owned(),
        };
        self.outbox.push(&capsule);
        if self.outbox.flush().await.is_ok() && self.outbox.stream.finish().is_ok() {
            let _ = self.outbox.stream.stopped().await;
            while let Ok(Some(_)) = self.recv.read_chunk(usize::MAX, true).await {}
        }
    }

    /// Ends this direction once the peer has ended its own, which is due at once: nothing may come
    /// before. A peer that does not is answered all the same.
    async fn answer(&mut self) -> Option<ConnectionFault> {
        let limit = END_GRACE.min(self.flush_timeout);
        let ended = timeout(limit, finished(&mut self.recv, &mut self.capsules)).await;
        if let Ok(Err(fault)) = ended {
            return self.reset(fault);
        }
        self.outbox.finish();
        let _ = self.recv.stop(wire::varint(code::H3_NO_ERROR));
        None
    }

    /// Ends the session over a fault of the peer's.
    fn punish(&mut self, fault: Fault) -> Option<ConnectionFault> {
        let error = SessionError::Protocol { code: fault.code() };
        trace::session_over(&error);
        self.core.end(&error);
        self.sessions.remove(self.core.id());
        self.reset(fault)
    }

    /// Ends the stream over a fault of the peer's; gives it if the connection has to end, too.
    fn reset(&mut self, fault: Fault) -> Option<ConnectionFault> {
        self.abort(fault.code());
        if let Fault::Connection(fault) = fault {
            return Some(fault);
        }
        self.core.count_error();
        None
    }

    fn abort(&mut self, code: u64) {
        self.core
            .left_behind()
            .refuse(&mut self.outbox.stream, &mut self.recv, code);
    }
}

/// Reads capsules until one, or the stream, ends the session.
///
/// Cancel safe: what has been read is in `capsules`.
async fn read(
    core: &SessionCore,
    recv: &mut quinn::RecvStream,
    capsules: &mut CapsuleReader,
) -> End {
    loop {
        loop {
            match capsules.next() {
                Ok(Some(Capsule::Close { code, reason })) => {
                    // Nothing may follow.
                    return match capsules.next() {
                        Ok(_) => End::Peer(SessionError::ClosedByPeer(Close::new(code, reason))),
                        Err(fault) => End::Fault(fault),
                    };
                }
                Ok(Some(Capsule::Drain)) => core.drain(),
                Ok(Some(capsule)) => {
                    // Read only where there is flow control.
                    let heard = core.flow().map_or(Ok(()), |flow| flow.hear(&capsule));
                    if let Err(fault) = heard {
                        return End::Fault(fault);
                    }
                }
                Ok(None) => break,
                Err(fault) => return End::Fault(fault),
            }
        }
        // Others have their turn, however much there is.
        consume_budget().await;
        match recv.read_chunk(usize::MAX, true).await {
            Ok(Some(chunk)) => capsules.push(chunk.bytes),
            Ok(None) => {
                return match capsules.finish() {
                    Ok(()) => End::Peer(SessionError::ClosedByPeer(Close::new(0, ""))),
                    Err(fault) => End::Fault(fault),
                };
            }
            Err(quinn::ReadError::Reset(code)) => {
                return End::Peer(SessionError::Aborted {
                    code: code.into_inner(),
                });
            }
            Err(quinn::ReadError::ConnectionLost(error)) => {
                return End::Lost(SessionError::Connection(error.into()));
            }
            Err(_) => {
                return End::Peer(SessionError::Aborted {
                    code: code::H3_NO_ERROR,
                });
            }
        }
    }
}

/// Reads to the stream's end, behind a capsule that nothing may follow.
async fn finished(recv: &mut quinn::RecvStream, capsules: &mut CapsuleReader) -> Result<(), Fault> {
    loop {
        capsules.next()?;
        consume_budget().await;
        match recv.read_chunk(usize::MAX, true).await {
            Ok(Some(chunk)) => capsules.push(chunk.bytes),
            Ok(None) => return capsules.finish(),
            // Reset or lost: nothing follows.
            Err(_) => return Ok(()),
        }
    }
}

/// Tells the peer that this side would like the session to end soon, once that is asked for, and
/// what it may send; ends only with the connection.
async fn speak(core: &SessionCore, outbox: &mut Outbox) -> End {
    let mut drain = pin!(core.asked_to_drain());
    let mut drained = false;
    loop {
        let mut due = Vec::new();
        tokio::select! {
            () = &mut drain, if !drained => {
                drained = true;
                due.push(Capsule::Drain);
            }
            credit = due_credit(core) => due = credit,
        }
        for capsule in &due {
            outbox.push(capsule);
        }
        match outbox.flush().await {
            Ok(()) => {}
            Err(quinn::WriteError::ConnectionLost(error)) => {
                return End::Lost(SessionError::Connection(error.into()));
            }
            // How the peer ended the session is told elsewhere.
            Err(_) => return pending().await,
        }
        if let Some(flow) = core.flow() {
            flow.said(&due);
        }
    }
}

/// Waits for what is to be said of what may be sent; forever where that is not bounded.
async fn due_credit(core: &SessionCore) -> Vec<Capsule> {
    match core.flow() {
        Some(flow) => flow.due().await,
        None => pending().await,
    }
}

/// Waits until the session has to end for another reason than its CONNECT stream's, and says how.
async fn wish(core: &SessionCore, flush_timeout: Duration) -> End {
    let mut ask = core.asked_beyond(&Ask::Open).await;
    loop {
        ask = match ask {
            Ask::Open | Ask::Release => tokio::select! {
                stronger = core.asked_beyond(&ask) => stronger,
                _ = timeout(flush_timeout, core.flush()) => Ask::Close(Close::new(0, "")),
            },
            Ask::Gone => tokio::select! {
                stronger = core.asked_beyond(&ask) => stronger,
                () = sleep(GONE_GRACE) => {
                    let code = draft::SESSION_GONE_03;
                    return End::Peer(SessionError::Aborted { code });
                }
            },
            Ask::Close(close) => return End::Local(SessionError::Closed(close)),
            Ask::Broken(fault) => return End::Fault(fault),
            Ask::Lost(error) => return End::Lost(error),
        };
    }
}

/// How long the end of a stream may come after the close in it.
const END_GRACE: Duration = Duration::from_secs(1);

/// How long a close may come after the resets of the streams that it ends.
const GONE_GRACE: Duration = Duration::from_secs(1);

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use tokio::task::coop::consume_budget;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tracing::Instrument;

use crate::connection::arrival::{BiArrival, BiKind, UniArrival};
use crate::connection::cancelled::Cancelled;
use crate::connection::control::CriticalStreams;
use crate::connection::stop::Stop;
use crate::connection::{Core, Queued};
use crate::gate::Gate;
use crate::http3;
use crate::proto::control::Side;
use crate::proto::direction::Direction;
use crate::proto::fault::ConnectionFault;
use crate::proto::stream_header::Kind;
use crate::proto::{code, datagram};
use crate::session::IncomingStream;
use crate::sessions::Batch;
use crate::stream::Received;
use crate::{EarlyData, reply, wait, wire};

/// Tells apart what the peer sends, and gives each stream and datagram to whom it belongs.
///
/// A stream whose header comes with its first packet is placed at once; one whose header takes
/// longer waits in a task of its own, so that it holds up nobody. The limit of open streams bounds
/// those tasks, and `header_timeout` how long each lives.
pub(crate) struct Demux {
    core: Arc<Core>,
    critical: CriticalStreams,
    late: JoinSet<Late>,
    /// Boxed, since most connections have none.
    datagrams: Option<Box<Batch>>,
    gates: Gates,
    http: http3::Server,
}

/// Before what a turn looks at only if it has something new.
struct Gates {
    uni: Gate,
    datagrams: Gate,
    seldom: Gate,
}

/// What the demultiplexer waits for.
enum Event {
    Bi(Result<(quinn::SendStream, quinn::RecvStream), quinn::ConnectionError>),
    Uni(Result<quinn::RecvStream, quinn::ConnectionError>),
    Datagram(Result<Bytes, quinn::ConnectionError>),
    Late(Result<Late, JoinError>),
    /// Somebody asks to be told once all is placed that has arrived.
    Asked(u64),
    GivenUp(Cancelled),
    Fault(ConnectionFault),
}

/// How the wait for a stream's header ended.
enum Late {
    Uni(UniArrival, Result<Option<Kind>, ConnectionFault>),
    Bi(BiArrival, Result<BiKind, ConnectionFault>),
    Done,
}

impl Demux {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            critical: CriticalStreams::new(&core),
            late: JoinSet::new(),
            datagrams: None,
            gates: Gates {
                uni: Gate::new(),
                datagrams: Gate::new(),
                seldom: Gate::new(),
            },
            http: http3::Server::new(Arc::clone(&core)),
            core,
        }
    }

    /// Runs until the connection is lost, or has to end.
    pub(crate) async fn run(&mut self) -> Stop {
        let quinn = self.core.quinn.clone();
        let core = Arc::clone(&self.core);
        // Kept from turn to turn: to wait anew costs more than what most turns do.
        let mut bi = pin!(quinn.accept_bi());
        let mut uni = pin!(quinn.accept_uni());
        let mut datagram = pin!(quinn.read_datagram());
        let mut asked = pin!(core.sessions.arrivals().asked());
        let mut cancelled = pin!(core.cancelled.next());
        loop {
            let event = {
                // Begun anew each time; the wakers of its streams stay with quinn.
                let seldom = pin!(async {
                    tokio::select! {
                        turn = &mut asked => Event::Asked(turn),
                        given_up = &mut cancelled => Event::GivenUp(given_up),
                        fault = self.critical.run(&core) => Event::Fault(fault),
                    }
                });
                tokio::select! {
                    stream = &mut bi => Event::Bi(stream),
                    stream = self.gates.uni.pass(uni.as_mut()) => Event::Uni(stream),
                    first = self.gates.datagrams.pass(datagram.as_mut()) => Event::Datagram(first),
                    Some(late) = self.late.join_next() => Event::Late(late),
                    event = self.gates.seldom.pass(seldom) => event,
                }
            };
            let placed = match event {
                Event::Bi(Ok((send, recv))) => {
                    bi.set(quinn.accept_bi());
                    self.arrived_some(BiArrival::new(send, recv)).await
                }
                Event::Uni(Ok(recv)) => {
                    uni.set(quinn.accept_uni());
                    self.arrived_uni(UniArrival::new(recv)).await
                }
                Event::Datagram(Ok(first)) => {
                    datagram.set(quinn.read_datagram());
                    self.arrived_datagrams(first).await
                }
                Event::Bi(Err(error)) | Event::Uni(Err(error)) | Event::Datagram(Err(error)) => {
                    return Stop::Lost(error.into());
                }
                Event::Late(Ok(Late::Uni(arrival, kind))) => {
                    kind.and_then(|kind| self.place_uni(arrival, kind))
                }
                Event::Late(Ok(Late::Bi(arrival, kind))) => {
                    kind.and_then(|kind| self.place_bi(arrival, kind))
                }
                Event::Late(Ok(Late::Done) | Err(_)) => Ok(()),
                Event::Asked(turn) => {
                    asked.set(core.sessions.arrivals().asked());
                    let placed = self.place_arrived().await;
                    core.sessions.arrivals().tell(turn);
                    placed
                }
                Event::GivenUp(given_up) => {
                    cancelled.set(core.cancelled.next());
                    let settled = given_up.settle(core.limits.header_timeout);
                    self.wait_late(async move {
                        settled.await;
                        Late::Done
                    });
                    Ok(())
                }
                Event::Fault(fault) => Err(fault),
            };
            if let Err(fault) = placed {
                return Stop::Fault(fault);
            }
        }
    }

    /// Places every stream that is there already; the loss of the connection is told elsewhere.
    async fn place_arrived(&mut self) -> Result<(), ConnectionFault> {
        let quinn = self.core.quinn.clone();
        while let Some(Ok((send, recv))) = wait::now(pin!(quinn.accept_bi())).await {
            self.arrived_bi(BiArrival::new(send, recv)).await?;
            // Others have their turn, however many there are of either.
            consume_budget().await;
        }
        while let Some(Ok(recv)) = wait::now(pin!(quinn.accept_uni())).await {
            self.arrived_uni(UniArrival::new(recv)).await?;
            consume_budget().await;
        }
        Ok(())
    }

    /// Places a stream, and a few more if they are there already: a look at all that might have
    /// arrived costs more than a stream does.
    async fn arrived_some(&mut self, first: BiArrival) -> Result<(), ConnectionFault> {
        self.arrived_bi(first).await?;
        let quinn = self.core.quinn.clone();
        for _ in 1..BATCH {
            let Some(Ok((send, recv))) = wait::now(pin!(quinn.accept_bi())).await else {
                break;
            };
            self.arrived_bi(BiArrival::new(send, recv)).await?;
        }
        Ok(())
    }

    /// Gives datagrams to their sessions: this one, and those that are there already.
    async fn arrived_datagrams(&mut self, first: Bytes) -> Result<(), ConnectionFault> {
        let batch = self.datagrams.get_or_insert_default();
        let mut next = Some(first);
        while let Some(mut datagram) = next.take() {
            let id = datagram::decode(&mut datagram)?;
            batch.push(id, datagram);
            if batch.len() < BATCH {
                let read = pin!(self.core.quinn.read_datagram());
                next = wait::now(read).await.and_then(Result::ok);
            }
        }
        self.core.sessions.datagrams(batch);
        if batch.is_awaited() {
            // A use of the connection, noted once for all that come at once.
            self.core.activity.record();
        }
        batch.wake();
        for id in batch.astray.drain(..) {
            self.core.abort_plain(id);
        }
        Ok(())
    }

    async fn arrived_uni(&mut self, mut arrival: UniArrival) -> Result<(), ConnectionFault> {
        let first = wait::now(pin!(arrival.read())).await;
        if let Some(kind) = first {
            return self.place_uni(arrival, kind?);
        }
        let limit = self.core.limits.header_timeout;
        let core = Arc::clone(&self.core);
        self.wait_late(async move {
            match timeout(limit, arrival.read()).await {
                Ok(kind) => Late::Uni(arrival, kind),
                Err(_) => {
                    core.activity.count_error();
                    core.lost_header(Direction::Uni);
                    let _ = arrival.recv.stop(wire::varint(code::H3_REQUEST_CANCELLED));
                    Late::Done
                }
            }
        });
        Ok(())
    }

    async fn arrived_bi(&mut self, mut arrival: BiArrival) -> Result<(), ConnectionFault> {
        let id = arrival.send.id().into();
        let first = wait::now(pin!(arrival.read(&self.core.limits))).await;
        if let Some(Ok(BiKind::Session(session))) = first {
            self.place_stream(session, arrival);
            return Ok(());
        }
        if self.core.side == Side::Server {
            if first.is_none() {
                self.core.sessions.expect(id);
            }
            self.core.sessions.see(id);
        }
        if let Some(kind) = first {
            return self.place_bi(arrival, kind?);
        }
        let core = Arc::clone(&self.core);
        arrival.reading = Some(core.reading.token());
        self.wait_late(async move {
            match timeout(core.limits.header_timeout, arrival.read(&core.limits)).await {
                Ok(kind) => Late::Bi(arrival, kind),
                Err(_) => {
                    core.sessions.remove(id);
                    core.lost_header(Direction::Bi);
                    core.requests.count_refused(id, "header_timeout");
                    let code = code::H3_REQUEST_CANCELLED;
                    wire::refuse(&mut arrival.send, &mut arrival.recv, code);
                    Late::Done
                }
            }
        });
        Ok(())
    }

    /// Waits beside the streams that are placed at once.
    fn wait_late(&mut self, late: impl Future<Output = Late> + Send + 'static) {
        self.late.spawn(late.instrument(self.core.span.clone()));
    }

    fn place_uni(
        &mut self,
        mut arrival: UniArrival,
        kind: Option<Kind>,
    ) -> Result<(), ConnectionFault> {
        match kind {
            Some(Kind::Session(id)) => {
                let UniArrival { recv, rest } = arrival;
                let stream = IncomingStream::Uni(Received::new(recv, rest));
                self.core.sessions.stream(id, stream);
                Ok(())
            }
            Some(kind @ (Kind::Control | Kind::QpackEncoder | Kind::QpackDecoder)) => {
                self.gates.seldom.open();
                self.critical.adopt(kind, arrival.recv, &arrival.rest)
            }
            Some(Kind::Push) => Err(match self.core.side {
                Side::Client => PUSH_NOT_ALLOWED,
                Side::Server => PUSH_BY_CLIENT,
            }),
            Some(Kind::Unknown(_) | Kind::Request) => {
                let _ = arrival
                    .recv
                    .stop(wire::varint(code::H3_STREAM_CREATION_ERROR));
                Ok(())
            }
            None => {
                self.core.lost_header(Direction::Uni);
                Ok(())
            }
        }
    }

    fn place_bi(&mut self, mut arrival: BiArrival, kind: BiKind) -> Result<(), ConnectionFault> {
        let early = arrival.recv.is_0rtt() && !self.core.handshake.is_done();
        let takes = self.core.takes_early_data && matches!(kind, BiKind::Connect(_));
        if early && !takes && !matches!(kind, BiKind::Session(_)) {
            // Once the handshake is done, it is no replay; what overtakes it waits, too.
            self.core.sessions.expect(arrival.send.id().into());
            let core = Arc::clone(&self.core);
            self.wait_late(async move {
                match core.handshake.done().await {
                    true => Late::Bi(arrival, Ok(kind)),
                    // It never will be.
                    false => Late::Done,
                }
            });
            return Ok(());
        }
        // Until it is queued, so that whoever waits for all that is here does not miss it.
        let _reading = arrival.reading.take();
        if let BiKind::Session(session) = kind {
            self.place_stream(session, arrival);
            return Ok(());
        }
        let (mut send, mut recv, rest) = arrival.into_parts();
        let id = send.id().into();
        if matches!(kind, BiKind::Refuse(code) if code != code::H3_REQUEST_CANCELLED) {
            self.core.activity.count_error();
        }
        let kind = match kind {
            BiKind::Connect(_) | BiKind::Http if self.core.goaway.is_cut_off(id) => {
                BiKind::Refuse(code::H3_REQUEST_REJECTED)
            }
            BiKind::Connect(_) if self.core.peer.lacks_requirements() => {
                self.core.activity.count_error();
                BiKind::Refuse(code::H3_MESSAGE_ERROR)
            }
            BiKind::Connect(_) if !self.core.requests.admit(id) => {
                BiKind::Refuse(code::H3_REQUEST_REJECTED)
            }
            BiKind::Http if !self.core.serves_http => BiKind::Answer(StatusCode::NOT_FOUND),
            kind => kind,
        };
        match kind {
            BiKind::Connect(mut request) => {
                if early {
                    request.extensions_mut().insert(EarlyData);
                }
                self.core.requests.push(Queued {
                    request: *request,
                    send,
                    recv,
                    rest,
                    in_use: self.core.activity.begin(),
                });
                return Ok(());
            }
            BiKind::Http => match self.http.accept(send, recv, rest) {
                Some(arrival) => self.core.requests.push_plain(arrival),
                None => self.core.count_error(),
            },
            BiKind::Answer(status) => {
                if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
                    self.core.requests.count_refused(id, "header_block");
                }
                if reply::at_once(&mut send, &mut recv, status) {
                    self.core.answers.push(send);
                }
            }
            BiKind::Refuse(code) => {
                if code == code::H3_REQUEST_CANCELLED {
                    self.core.lost_header(Direction::Bi);
                }
                wire::refuse(&mut send, &mut recv, code);
            }
            BiKind::Session(_) => {}
        }
        self.forget(id);
        Ok(())
    }

    fn place_stream(&self, session: u64, arrival: BiArrival) {
        let (send, recv, rest) = arrival.into_parts();
        let id = send.id().into();
        let stream = IncomingStream::Bi(send, Received::new(recv, rest));
        match self.core.side {
            Side::Client => self.core.sessions.stream(session, stream),
            Side::Server => self.core.sessions.client_stream(id, session, stream),
        }
    }

    /// Lets go of what arrived for a stream that is no session.
    fn forget(&self, id: u64) {
        if self.core.side == Side::Server && self.core.sessions.remove(id) {
            self.core.abort_plain(id);
        }
    }
}

/// How many streams or datagrams are placed before anything else is looked at.
const BATCH: usize = 64;

const PUSH_NOT_ALLOWED: ConnectionFault =
    ConnectionFault::new(code::H3_ID_ERROR, "a push that was not allowed");
const PUSH_BY_CLIENT: ConnectionFault = ConnectionFault::new(
    code::H3_STREAM_CREATION_ERROR,
    "a push stream of a client's",
);

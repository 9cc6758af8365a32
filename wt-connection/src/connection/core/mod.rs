mod ending;
mod negotiation;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use http::uri::Authority;
use tokio::sync::{Notify, Semaphore, SetOnce};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

use crate::activity::Activity;
use crate::connecting::{Early, Setup};
use crate::connection::answers::Answers;
use crate::connection::cancelled::CancelledConnects;
use crate::connection::closing::Closing;
use crate::connection::goaway::GoAway;
use crate::connection::handshake::Handshake;
use crate::connection::left_behind::LeftBehind;
use crate::connection::peer::PeerSettings;
use crate::connection::requests::{Queued, Requests};
use crate::connection::resumption::Resumption;
use crate::error::ConnectionError;
use crate::guards::Guards;
use crate::http3::Exchanges;
use crate::id::ConnectionId;
use crate::limits::Limits;
use crate::lock::Lock;
use crate::moment::Moment;
use crate::proto::code;
use crate::proto::control::Side;
use crate::proto::direction::Direction;
use crate::proto::fault::ConnectionFault;
use crate::session::{Ask, FlowControl, SessionCore, SessionTask};
use crate::sessions::Sessions;
use crate::settings::Timing;
use crate::state::{ConnectionState, StateCell};
use crate::unanswered::Unanswered;
use crate::{trace, wire};

/// What a connection's handles, sessions and driver share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) id: ConnectionId,
    pub(crate) side: Side,
    pub(crate) quinn: quinn::Connection,
    /// What it does is traced inside of this.
    pub(crate) span: Span,
    pub(crate) state: StateCell,
    pub(crate) limits: Limits,
    /// This side's, as far as it is known.
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) timing: Timing,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) activity: Arc<Activity>,
    /// Where the sessions put their datagrams together.
    room_for_datagrams: Arc<Lock<BytesMut>>,
    pub(crate) unanswered: Unanswered,
    /// What requests without an authority of their own are for.
    pub(crate) authority: Authority,
    /// How many more sessions the peer admits; closed once it admits none.
    pub(crate) room: Arc<Semaphore>,
    /// The tasks of the sessions.
    pub(crate) tasks: TaskTracker,
    /// The client's requests whose headers have not all arrived.
    pub(crate) reading: TaskTracker,
    /// The tasks that serve sessions for a service.
    pub(crate) handlers: TaskTracker,
    /// Cancelled when the last handle is gone.
    pub(crate) released: CancellationToken,
    /// The peer's requests, which wait for whoever accepts them.
    pub(crate) requests: Requests,
    /// Somebody answers requests that ask for no session, too.
    pub(crate) serves_http: bool,
    pub(crate) goaway: GoAway,
    /// Told when the peer is to be sent something that means nothing.
    nudged: Notify,
    pub(crate) handshake: Handshake,
    /// Where a client keeps what the server announces, for the next connection.
    pub(crate) resumption: Option<Resumption>,
    /// A server processes requests for sessions before the handshake is done.
    pub(crate) takes_early_data: bool,
    pub(crate) peer: PeerSettings,
    /// The plain requests that are under way.
    pub(crate) exchanges: Exchanges,
    /// To requests that became no session.
    pub(crate) answers: Answers,
    pub(crate) cancelled: CancelledConnects,
    /// Asked for by a handle, or by the endpoint.
    pub(crate) closing: Closing,
    pub(crate) left_behind: Arc<LeftBehind>,
    /// What the connection has to end with: the first that is found.
    fault: Arc<SetOnce<ConnectionFault>>,
    error: OnceLock<ConnectionError>,
    /// The congestion window, before it was opened to let the end through.
    last_window: OnceLock<u64>,
    /// `None` once the connection is over.
    guards: Lock<Option<Guards>>,
    /// Cancelled when the connection is over, and its guards are dropped.
    over: CancellationToken,
}

impl Core {
    pub(crate) fn new(
        quinn: quinn::Connection,
        state: StateCell,
        id: ConnectionId,
        setup: Setup,
    ) -> Arc<Self> {
        let Setup {
            limits,
            local_address,
            timing,
            authority,
            serves_http,
            early,
            ..
        } = setup;
        let Early {
            handshake,
            resumption,
            takes: takes_early_data,
        } = early;
        let side = match quinn.side() {
            quinn::Side::Client => Side::Client,
            quinn::Side::Server => Side::Server,
        };
        let sessions = Arc::new(Sessions::new(side, limits));
        let span = trace::connection(id, side, wire::canonical(quinn.remote_address()));
        Arc::new(Self {
            id,
            side,
            quinn,
            span,
            state,
            limits,
            local_address,
            timing,
            requests: Requests::new(Arc::clone(&sessions)),
            sessions,
            activity: Arc::new(Activity::new(Moment::now())),
            room_for_datagrams: Arc::default(),
            unanswered: Unanswered::default(),
            authority,
            room: Arc::new(Semaphore::new(0)),
            tasks: TaskTracker::new(),
            reading: TaskTracker::new(),
            handlers: TaskTracker::new(),
            released: CancellationToken::new(),
            handshake: Handshake::new(handshake),
            resumption,
            takes_early_data,
            peer: PeerSettings::default(),
            serves_http,
            goaway: GoAway::new(),
            nudged: Notify::new(),
            exchanges: Exchanges::default(),
            answers: Answers::default(),
            cancelled: CancelledConnects::default(),
            closing: Closing::default(),
            left_behind: Arc::new(
                timing
                    .receive_window
                    .map_or_else(LeftBehind::default, LeftBehind::new),
            ),
            fault: Arc::default(),
            error: OnceLock::new(),
            last_window: OnceLock::new(),
            guards: Lock::new(Some(Guards::default())),
            over: CancellationToken::new(),
        })
    }

    /// Makes a session whose CONNECT is answered, and lets its task run.
    pub(crate) fn start_session(
        &self,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
        span: Span,
    ) -> Arc<SessionCore> {
        let session = self.new_session(send.id().into());
        let task = self.session_task(&session, send, recv, rest);
        let faults = Arc::clone(&self.fault);
        let run = async move {
            if let Err(fault) = task.run().await {
                // The first ends the connection.
                let _ = faults.set(fault);
            }
        };
        // Boxed, or its two kilobytes would be moved about several times.
        self.tasks.spawn(Box::pin(run.instrument(span)));
        session
    }

    /// Makes a session, whose task is still to run.
    pub(crate) fn new_session(&self, id: u64) -> Arc<SessionCore> {
        let session = SessionCore::new(
            id,
            self.quinn.clone(),
            Arc::clone(&self.activity),
            Arc::clone(&self.left_behind),
            Arc::clone(&self.room_for_datagrams),
            self.limits.received_datagrams,
            self.peer.credit().map(|theirs| {
                FlowControl::new(
                    self.limits.credit,
                    theirs,
                    self.timing.stream_receive_window,
                )
            }),
        );
        self.activity.record();
        self.sessions.open(&session);
        // A GOAWAY drained the sessions that were open by then.
        if self.goaway.is_received() {
            session.drain();
        }
        if self.goaway.is_asked() {
            session.ask_drain();
        }
        // The driver may have ended the sessions that it knew of just before.
        if let Some(close) = self.closing.get() {
            session.ask(Ask::Close(close));
        }
        session
    }

    /// What runs a session whose CONNECT is answered.
    pub(crate) fn session_task(
        &self,
        session: &Arc<SessionCore>,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
        rest: Bytes,
    ) -> SessionTask {
        SessionTask::new(
            Arc::clone(session),
            Arc::clone(&self.sessions),
            send,
            recv,
            rest,
            self.limits.flush_timeout,
        )
    }

    /// Waits for the end of the handshake; for what must not be processed twice.
    pub(crate) async fn handshaken(&self) -> Result<(), ConnectionError> {
        tokio::select! {
            biased;
            done = self.handshake.done() => match done {
                true => Ok(()),
                false => Err(self.over().unwrap_or(ConnectionError::EarlyDataRejected)),
            },
            // Nobody waits for it any more.
            error = self.ended() => Err(error),
        }
    }

    /// Reports what the connection has to end with.
    pub(crate) fn fail(&self, fault: ConnectionFault) {
        // The first ends the connection.
        let _ = self.fault.set(fault);
    }

    /// Counts what costs one request, or with a fault, which counts by itself, the connection.
    pub(crate) fn count_error(&self) {
        if self.fault.get().is_none() {
            self.activity.count_error();
        }
    }

    /// Waits until the connection has to end with something.
    pub(crate) async fn failed(&self) -> ConnectionFault {
        *self.fault.wait().await
    }

    /// Takes note of the peer's GOAWAY: a server processes no request with `id` or a greater one,
    /// and wants its sessions drained. A client's speaks of pushes, of which there are none.
    pub(crate) fn go_away(&self, id: u64) {
        if self.side == Side::Server {
            return;
        }
        let first = !self.goaway.is_received();
        self.goaway.receive(id);
        if !first {
            return;
        }
        self.admit_no_more();
        for session in self.sessions.all() {
            session.drain();
        }
    }

    /// Drains the connection from this side: what is open goes on, and the peer is told.
    pub(crate) fn drain(&self) {
        self.goaway.ask();
        self.admit_no_more();
        for session in self.sessions.all() {
            session.ask_drain();
        }
    }

    /// Gives a plain request up for which a datagram came: to such a one it means nothing
    /// ([RFC 9297 §2](https://www.rfc-editor.org/rfc/rfc9297#section-2)).
    pub(crate) fn abort_plain(&self, id: u64) {
        self.exchanges.abort(id, code::H3_DATAGRAM_ERROR);
    }

    /// Makes up for a stream that ended before its header came: the peer may have counted it in any
    /// of its sessions.
    pub(crate) fn lost_header(&self, direction: Direction) {
        if self.peer.credit().is_none() {
            return;
        }
        for session in self.sessions.all() {
            if let Some(flow) = session.flow() {
                flow.forgive_streams(direction, 1);
            }
        }
    }

    /// Has the peer sent something that means nothing.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Waits until the peer is to be sent something that means nothing.
    pub(crate) async fn nudged(&self) {
        self.nudged.notified().await;
    }

    /// Sends no more requests to a server whose responses break HTTP/3's rules; its sessions, of
    /// which that says nothing, live on.
    pub(crate) fn distrust(&self) {
        self.admit_no_more();
    }

    fn admit_no_more(&self) {
        self.state.advance(ConnectionState::Draining);
        self.room.close();
    }

    /// Waits until no more requests are wanted.
    pub(crate) async fn draining(&self) {
        self.state.reached(ConnectionState::Draining).await;
    }

    /// Why nothing begins any more, once it is draining: `None` if that is all.
    pub(crate) fn ending(&self) -> Option<ConnectionError> {
        let over = || self.over().unwrap_or(ConnectionError::Closed);
        (self.state.get() != ConnectionState::Draining).then(over)
    }

    pub(crate) async fn next_connect(&self) -> Result<Queued, ConnectionError> {
        self.requests.next_connect(|| self.error()).await
    }

    /// How often something went wrong.
    pub(crate) fn errors(&self) -> u64 {
        self.activity.errors() + self.sessions.refused() + self.requests.refused()
    }

    pub(crate) fn remote_address(&self) -> SocketAddr {
        wire::canonical(self.quinn.remote_address())
    }
}

mod opening;

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::task::coop::cooperative;
use tokio::time::sleep;

use crate::activity::Activity;
use crate::connection::LeftBehind;
use crate::error::{SendDatagramError, SessionError};
use crate::lock::Lock;
use crate::proto::{datagram, draft, stream_header};
use crate::session::flow::FlowControl;
use crate::session::handle::SessionHandle;
use crate::session::incoming::IncomingStream;
use crate::session::live::StreamKey;
use crate::session::next::Next;
use crate::session::pause::Pause;
use crate::session::state::{Ask, State};
use crate::stream::{BiStream, RecvStream, Sending};
use crate::wait;

/// What a session's handles, its task and the connection's driver share.
pub(crate) struct SessionCore {
    id: u64,
    /// How each stream of the session begins.
    bi_header: Bytes,
    uni_header: Bytes,
    quinn: quinn::Connection,
    activity: Arc<Activity>,
    left_behind: Arc<LeftBehind>,
    /// Where datagrams are put together, for all sessions of the connection.
    room: Arc<Lock<BytesMut>>,
    state: Lock<State>,
    /// No stream or datagram passes any more.
    has_ended: AtomicBool,
    /// Where both sides want it.
    flow: Option<Arc<FlowControl>>,
    /// What its `Session`s share; gone with the last of them.
    handle: OnceLock<Weak<SessionHandle>>,
    /// Told when the first stream lingers.
    lingering: Notify,
    /// Told whenever a wish, draining or an end is noted.
    changed: Notify,
}

/// What the connection's driver brings.
impl SessionCore {
    pub(crate) fn new(
        id: u64,
        quinn: quinn::Connection,
        activity: Arc<Activity>,
        left_behind: Arc<LeftBehind>,
        room: Arc<Lock<BytesMut>>,
        received_datagrams: usize,
        flow: Option<Arc<FlowControl>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            bi_header: header(|buf| stream_header::encode_bi(buf, id)),
            uni_header: header(|buf| stream_header::encode_uni(buf, id)),
            quinn,
            activity,
            room,
            state: Lock::new(State::new(received_datagrams, Arc::clone(&left_behind))),
            has_ended: AtomicBool::new(false),
            left_behind,
            flow,
            handle: OnceLock::new(),
            lingering: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Queues a stream; the connection's limit of open streams bounds the queue.
    pub(crate) fn push_stream(&self, mut stream: IncomingStream) {
        if let Some(flow) = &self.flow {
            match flow.accept(stream.direction()) {
                Ok(accepted) => stream.take_room(accepted),
                Err(exceeded) => {
                    self.ask(Ask::Broken(exceeded.into()));
                    return stream.refuse(draft::SESSION_GONE_03);
                }
            }
        }
        let readers = match stream {
            IncomingStream::Bi(..) => State::bi_readers,
            IncomingStream::Uni(_) => State::uni_readers,
        };
        let mut state = self.state.lock();
        let refused = state.push(stream);
        let reader = readers(&mut state).call();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        if let Some(stream) = refused {
            stream.refuse(draft::SESSION_GONE_03);
        }
    }

    /// Queues a datagram; gives who has waited for it, to be woken once nothing is locked.
    pub(crate) fn push_datagram(&self, datagram: Bytes) -> Option<Waker> {
        let mut state = self.state.lock();
        let dropped = state.push_datagram(datagram);
        let reader = state.datagram_readers().call();
        drop(state);
        if dropped {
            self.activity.count_error();
        }
        reader
    }
}

/// What the handles do.
impl SessionCore {
    /// Fails once no stream or datagram passes any more.
    fn alive(&self) -> Result<(), SessionError> {
        match self.has_ended.load(Ordering::Acquire) {
            true => self.state.lock().alive(),
            false => Ok(()),
        }
    }

    pub(crate) async fn accept_bi(
        &self,
        handle: &Arc<SessionHandle>,
    ) -> Result<BiStream, SessionError> {
        let take = |state: &mut State| state.next_bi(handle);
        let next = Next::new(&self.state, State::bi_readers, take);
        let (next, _) = cooperative(next).await;
        self.touched(next)
    }

    pub(crate) async fn accept_uni(
        &self,
        handle: &Arc<SessionHandle>,
    ) -> Result<RecvStream, SessionError> {
        let take = |state: &mut State| state.next_uni(handle);
        let next = Next::new(&self.state, State::uni_readers, take);
        let (next, _) = cooperative(next).await;
        self.touched(next)
    }

    pub(crate) async fn read_datagram(&self) -> Result<Bytes, SessionError> {
        let next = Next::new(&self.state, State::datagram_readers, State::next_datagram);
        // However fast the peer is, others have their turn.
        let (next, called) = cooperative(next).await;
        if called {
            // The driver has noted that, once for all that came at once.
            return next;
        }
        self.touched(next)
    }

    pub(crate) fn send_datagram(&self, payload: &[u8]) -> Result<(), SendDatagramError> {
        self.alive()?;
        if payload.len() > MAX_DATAGRAM {
            return Err(self.too_large());
        }
        let framed = datagram::encode(&mut self.room.lock(), self.id, payload);
        let sent = self.quinn.send_datagram(framed);
        sent.map_err(|error| match error {
            quinn::SendDatagramError::TooLarge => self.too_large(),
            quinn::SendDatagramError::UnsupportedByPeer | quinn::SendDatagramError::Disabled => {
                SendDatagramError::Unsupported
            }
            quinn::SendDatagramError::ConnectionLost(error) => self.lost(error).into(),
        })?;
        self.touch();
        Ok(())
    }

    fn too_large(&self) -> SendDatagramError {
        match self.max_datagram_size() {
            Some(max) => SendDatagramError::TooLarge { max },
            None => SendDatagramError::Unsupported,
        }
    }

    pub(crate) fn max_datagram_size(&self) -> Option<usize> {
        let framed = self.quinn.max_datagram_size()?;
        framed.checked_sub(datagram::prefix_len(self.id))
    }

    pub(crate) fn dropped_datagrams(&self) -> u64 {
        self.state.lock().dropped_datagrams()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn touch(&self) {
        self.activity.record();
    }

    fn touched<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        if result.is_ok() {
            self.touch();
        }
        result
    }

    /// Makes the one handle known.
    pub(super) fn set_handle(&self, handle: Weak<SessionHandle>) {
        // A session has one.
        let _ = self.handle.set(handle);
    }

    /// What its `Session`s share; `None` once nobody has any, or the session has ended.
    pub(crate) fn handle(&self) -> Option<Arc<SessionHandle>> {
        self.alive().ok()?;
        self.handle.get()?.upgrade()
    }

    /// Counts a fault of the peer's.
    pub(crate) fn count_error(&self) {
        self.activity.count_error();
    }

    pub(crate) fn hold(&self, guard: Box<dyn Send>) {
        let refused = self.state.lock().hold(guard);
        if let Some(guards) = refused {
            guards.release();
        }
    }

    pub(crate) fn flow(&self) -> Option<&Arc<FlowControl>> {
        self.flow.as_ref()
    }

    pub(crate) fn left_behind(&self) -> &LeftBehind {
        &self.left_behind
    }

    /// Forgets a stream whose handles are gone.
    pub(crate) fn forget(&self, key: StreamKey) {
        self.state.lock().forget(key);
    }

    /// Keeps what is to be delivered of a stream, which is forgotten if both its handles are gone.
    pub(crate) fn let_go(&self, last: Option<StreamKey>, lingers: Option<Sending>) {
        let mut state = self.state.lock();
        if let Some(key) = last {
            state.forget(key);
        }
        let first = lingers.is_some_and(|sending| state.linger(sending));
        drop(state);
        if first {
            self.lingering.notify_one();
        }
    }

    /// Asks the task to end the session.
    pub(crate) fn ask(&self, ask: Ask) {
        if self.state.lock().ask(ask) {
            self.changed.notify_waiters();
        }
    }

    /// Asks the task to tell the peer that the session should end soon.
    pub(crate) fn ask_drain(&self) {
        self.state.lock().ask_drain();
        self.changed.notify_waiters();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.lock().is_draining()
    }

    pub(crate) async fn draining(&self) {
        wait::until(&self.changed, || {
            let state = self.state.lock();
            (state.is_draining() || state.alive().is_err()).then_some(())
        })
        .await;
    }

    /// Waits until no stream passes any more.
    pub(crate) async fn ended(&self) -> SessionError {
        wait::until(&self.changed, || self.state.lock().ended()).await
    }

    /// Why an operation failed: the session's own word says more than QUIC's, to which every end of
    /// the connection that the driver makes is this side's.
    pub(crate) fn lost(&self, error: quinn::ConnectionError) -> SessionError {
        let ended = self.state.lock().ended();
        ended.unwrap_or_else(|| SessionError::Connection(error.into()))
    }

    /// Waits until the session is over on this side and, if it can be, on the peer's.
    pub(crate) async fn over(&self) -> SessionError {
        wait::until(&self.changed, || self.state.lock().over()).await
    }
}

/// What the session's task does.
impl SessionCore {
    /// Waits until something stronger than `ask` is wanted.
    pub(crate) async fn asked_beyond(&self, ask: &Ask) -> Ask {
        wait::until(&self.changed, || {
            let state = self.state.lock();
            let asked = state.asked();
            asked.outranks(ask).then(|| asked.clone())
        })
        .await
    }

    pub(crate) async fn asked_to_drain(&self) {
        wait::until(&self.changed, || {
            self.state.lock().is_asked_to_drain().then_some(())
        })
        .await;
    }

    pub(crate) fn drain(&self) {
        self.state.lock().drain();
        self.changed.notify_waiters();
    }

    /// Waits until the peer has acknowledged every stream that was finished and dropped.
    pub(crate) async fn flush(&self) {
        let delivered = self.state.lock().delivered();
        delivered.await;
    }

    /// Lets go of streams that were delivered or stopped, a moment after the first of them was
    /// finished and dropped, and less often while none is.
    pub(crate) async fn sweep(&self) -> Infallible {
        let mut pause = Pause::new();
        loop {
            wait::until(&self.lingering, || {
                self.state.lock().lingers().then_some(())
            })
            .await;
            sleep(pause.get()).await;
            let freed = self.state.lock().sweep();
            pause.note(freed);
        }
    }

    /// Ends every stream, but for those that outlive the session; from here on each operation on
    /// the others fails with `error`.
    pub(crate) fn end(&self, error: &SessionError) {
        let mut state = self.state.lock();
        let Some(live) = state.end(error) else { return };
        self.has_ended.store(true, Ordering::Release);
        let readers = state.readers();
        drop(state);
        live.end(error, &self.left_behind);
        self.changed.notify_waiters();
        readers.for_each(Waker::wake);
    }

    /// Lets go of the guards and tells who waits for the end.
    pub(crate) fn finish(&self) {
        loop {
            let guards = self.state.lock().finish();
            let Some(guards) = guards else { break };
            // Outside of the lock: a guard's drop is somebody else's code.
            guards.release();
        }
        self.changed.notify_waiters();
    }
}

impl fmt::Debug for SessionCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCore")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn header(encode: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut header = Vec::new();
    encode(&mut header);
    header.into()
}

/// What fits into no UDP packet.
const MAX_DATAGRAM: usize = 65_535;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::activity::Activity;
use crate::error::{Close, SendDatagramError, SessionError};
use crate::lock::Lock;
use crate::proto::{code, datagram, stream_header};
use crate::session::datagrams::Datagrams;
use crate::session::handle::SessionHandle;
use crate::session::incoming::{IncomingBi, IncomingStream, IncomingUni};
use crate::session::live::{Live, LiveHalf, StreamKey};
use crate::session::unannounced::Unannounced;
use crate::stream::{BiStream, Half, Received, RecvStream, SendStream};
use crate::{wait, wire};

/// What a session's handles, its task and the connection's driver share.
pub(crate) struct SessionCore {
    id: u64,
    quinn: quinn::Connection,
    activity: Arc<Activity>,
    state: Lock<State>,
    bi_arrived: Notify,
    uni_arrived: Notify,
    datagram_arrived: Notify,
    /// Told whenever `ask`, `draining`, `ended` or `over` changes.
    changed: Notify,
}

struct State {
    ask: Ask,
    draining: bool,
    /// No stream or datagram passes any more.
    ended: Option<SessionError>,
    /// The peer has been told, too, or cannot be.
    over: bool,
    bi: VecDeque<IncomingBi>,
    uni: VecDeque<IncomingUni>,
    datagrams: Datagrams,
    live: Live,
    guards: Vec<Box<dyn Send>>,
}

/// What the handles want of the task.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To go on.
    Open,
    /// To end once everything sent has arrived: the last handle is gone.
    Release,
    /// To end now.
    Close(Close),
    /// To end now, without a word: the connection is lost.
    Lost(SessionError),
}

/// What the connection's driver brings.
impl SessionCore {
    pub(crate) fn new(
        id: u64,
        quinn: quinn::Connection,
        activity: Arc<Activity>,
        received_datagrams: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            quinn,
            activity,
            state: Lock::new(State {
                ask: Ask::Open,
                draining: false,
                ended: None,
                over: false,
                bi: VecDeque::new(),
                uni: VecDeque::new(),
                datagrams: Datagrams::new(received_datagrams),
                live: Live::default(),
                guards: Vec::new(),
            }),
            bi_arrived: Notify::new(),
            uni_arrived: Notify::new(),
            datagram_arrived: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Queues a stream; the connection's limit of open streams bounds the queue.
    pub(crate) fn push_stream(&self, stream: IncomingStream) {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            drop(state);
            return stream.refuse(code::WT_SESSION_GONE);
        }
        let arrived = match stream {
            IncomingStream::Bi(stream) => {
                state.bi.push_back(stream);
                &self.bi_arrived
            }
            IncomingStream::Uni(stream) => {
                state.uni.push_back(stream);
                &self.uni_arrived
            }
        };
        drop(state);
        arrived.notify_one();
    }

    pub(crate) fn push_datagram(&self, datagram: Bytes) {
        let mut state = self.state.lock();
        if state.ended.is_none() {
            state.datagrams.push(datagram);
            drop(state);
            self.datagram_arrived.notify_one();
        }
    }
}

/// What the handles do.
impl SessionCore {
    pub(crate) async fn open_bi(
        self: &Arc<Self>,
        handle: &Arc<SessionHandle>,
    ) -> Result<BiStream, SessionError> {
        let (send, recv) = tokio::select! {
            biased;
            ended = self.ended() => return Err(ended),
            opened = self.quinn.open_bi() => opened.map_err(lost)?,
        };
        let mut header = Vec::with_capacity(MAX_HEADER);
        stream_header::encode_bi(&mut header, self.id);
        let opened = Unannounced::new(send, Some(recv))
            .announce(self, &header)
            .await?;
        let (send, Some(recv)) = opened else {
            unreachable!("both directions were opened")
        };
        self.adopt_bi(
            handle,
            IncomingBi {
                send,
                recv,
                rest: Bytes::new(),
            },
        )
    }

    pub(crate) async fn open_uni(
        self: &Arc<Self>,
        handle: &Arc<SessionHandle>,
    ) -> Result<SendStream, SessionError> {
        let send = tokio::select! {
            biased;
            ended = self.ended() => return Err(ended),
            opened = self.quinn.open_uni() => opened.map_err(lost)?,
        };
        let mut header = Vec::with_capacity(MAX_HEADER);
        stream_header::encode_uni(&mut header, self.id);
        let (mut send, _) = Unannounced::new(send, None).announce(self, &header).await?;
        let mut state = self.state.lock();
        if let Some(ended) = state.ended.clone() {
            drop(state);
            let _ = send.reset(wire::session_gone());
            return Err(ended);
        }
        Ok(state.adopt_send(handle, send))
    }

    pub(crate) async fn accept_bi(
        self: &Arc<Self>,
        handle: &Arc<SessionHandle>,
    ) -> Result<BiStream, SessionError> {
        wait::until(&self.bi_arrived, || {
            let mut state = self.state.lock();
            match state.bi.pop_front() {
                Some(stream) => Some(Ok(state.adopt_bi(handle, stream))),
                None => state.ended.clone().map(Err),
            }
        })
        .await
    }

    pub(crate) async fn accept_uni(
        self: &Arc<Self>,
        handle: &Arc<SessionHandle>,
    ) -> Result<RecvStream, SessionError> {
        wait::until(&self.uni_arrived, || {
            let mut state = self.state.lock();
            match state.uni.pop_front() {
                Some(stream) => Some(Ok(
                    state.adopt_recv(handle, Received::new(stream.recv, stream.rest))
                )),
                None => state.ended.clone().map(Err),
            }
        })
        .await
    }

    pub(crate) async fn read_datagram(&self) -> Result<Bytes, SessionError> {
        let datagram = wait::until(&self.datagram_arrived, || {
            let mut state = self.state.lock();
            match state.datagrams.pop() {
                Some(datagram) => Some(Ok(datagram)),
                None => state.ended.clone().map(Err),
            }
        })
        .await?;
        self.touch();
        Ok(datagram)
    }

    pub(crate) fn send_datagram(&self, payload: &[u8]) -> Result<(), SendDatagramError> {
        if let Some(ended) = &self.state.lock().ended {
            return Err(ended.clone().into());
        }
        let max = self
            .max_datagram_size()
            .ok_or(SendDatagramError::Unsupported)?;
        if payload.len() > max {
            return Err(SendDatagramError::TooLarge { max });
        }
        self.touch();
        self.quinn
            .send_datagram(datagram::encode(self.id, payload))
            .map_err(|error| match error {
                // The path has shrunk since we looked.
                quinn::SendDatagramError::TooLarge => SendDatagramError::TooLarge {
                    max: self.max_datagram_size().unwrap_or(0),
                },
                quinn::SendDatagramError::UnsupportedByPeer
                | quinn::SendDatagramError::Disabled => SendDatagramError::Unsupported,
                quinn::SendDatagramError::ConnectionLost(error) => lost(error).into(),
            })
    }

    pub(crate) fn max_datagram_size(&self) -> Option<usize> {
        self.quinn
            .max_datagram_size()?
            .checked_sub(datagram::prefix_len(self.id))
    }

    pub(crate) fn dropped_datagrams(&self) -> u64 {
        self.state.lock().datagrams.dropped()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn touch(&self) {
        self.activity.record();
    }

    pub(crate) fn hold(&self, guard: Box<dyn Send>) {
        let mut state = self.state.lock();
        if !state.over {
            state.guards.push(guard);
            return;
        }
        // A guard's drop is somebody else's code.
        drop(state);
        drop(guard);
    }

    pub(crate) fn drop_send(&self, key: StreamKey, half: &Half<quinn::SendStream>) {
        let Some(mut stream) = half.take() else {
            return;
        };
        let _ = stream.finish();
        let mut state = self.state.lock();
        state.live.remove(key);
        if state.ended.is_none() {
            state.live.linger(stream);
        }
    }

    pub(crate) fn drop_recv(&self, key: StreamKey) {
        self.state.lock().live.remove(key);
    }

    /// Asks the task to end the session; the first to ask decides how, but for a loss.
    pub(crate) fn ask(&self, ask: Ask) {
        let mut state = self.state.lock();
        let stronger = match (&state.ask, &ask) {
            (Ask::Open, _) | (_, Ask::Lost(_)) | (Ask::Release, Ask::Close(_)) => true,
            (Ask::Release | Ask::Close(_) | Ask::Lost(_), _) => false,
        };
        if stronger {
            state.ask = ask;
            drop(state);
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.lock().draining
    }

    pub(crate) async fn draining(&self) {
        wait::until(&self.changed, || {
            let state = self.state.lock();
            (state.draining || state.ended.is_some()).then_some(())
        })
        .await;
    }

    /// Waits until no stream passes any more.
    pub(crate) async fn ended(&self) -> SessionError {
        wait::until(&self.changed, || self.state.lock().ended.clone()).await
    }

    /// Waits until the session is over on this side and, if it can be, on the peer's.
    pub(crate) async fn over(&self) -> SessionError {
        wait::until(&self.changed, || {
            let state = self.state.lock();
            state.ended.clone().filter(|_| state.over)
        })
        .await
    }

    fn adopt_bi(
        &self,
        handle: &Arc<SessionHandle>,
        stream: IncomingBi,
    ) -> Result<BiStream, SessionError> {
        let mut state = self.state.lock();
        if let Some(ended) = &state.ended {
            let ended = ended.clone();
            drop(state);
            IncomingStream::Bi(stream).refuse(code::WT_SESSION_GONE);
            return Err(ended);
        }
        Ok(state.adopt_bi(handle, stream))
    }
}

/// What the session's task does.
impl SessionCore {
    /// Waits until the handles want something other than `Ask::Open`.
    pub(crate) async fn asked(&self) -> Ask {
        wait::until(&self.changed, || match self.current_ask() {
            Ask::Open => None,
            ask => Some(ask),
        })
        .await
    }

    /// Waits until the handles want the session to end at once.
    pub(crate) async fn asked_to_close(&self) -> SessionError {
        wait::until(&self.changed, || match self.current_ask() {
            Ask::Open | Ask::Release => None,
            Ask::Close(close) => Some(SessionError::Closed(close)),
            Ask::Lost(error) => Some(error),
        })
        .await
    }

    fn current_ask(&self) -> Ask {
        self.state.lock().ask.clone()
    }

    pub(crate) fn drain(&self) {
        self.state.lock().draining = true;
        self.changed.notify_waiters();
    }

    /// Waits until the peer has acknowledged every stream that was finished and dropped.
    pub(crate) async fn flush(&self) {
        let lingering = self.state.lock().live.take_lingering();
        for stream in lingering {
            // Stopped or lost is as good as delivered: nothing more will be.
            let _ = stream.stopped().await;
        }
    }

    /// Ends every stream; from here on each operation fails with `error`.
    pub(crate) fn end(&self, error: &SessionError) {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(error.clone());
        let halves = state.live.take_halves();
        let lingering = state.live.take_lingering();
        let bi = std::mem::take(&mut state.bi);
        let uni = std::mem::take(&mut state.uni);
        state.datagrams.clear();
        drop(state);
        for (_, half) in halves {
            half.end(error);
        }
        let bi = bi.into_iter().map(IncomingStream::Bi);
        let uni = uni.into_iter().map(IncomingStream::Uni);
        bi.chain(uni)
            .for_each(|stream| stream.refuse(code::WT_SESSION_GONE));
        drop(lingering);
        self.changed.notify_waiters();
        self.bi_arrived.notify_waiters();
        self.uni_arrived.notify_waiters();
        self.datagram_arrived.notify_waiters();
    }

    /// Lets go of the guards and tells who waits for the end.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock();
        state.over = true;
        let guards = std::mem::take(&mut state.guards);
        drop(state);
        // A guard's drop is somebody else's code.
        drop(guards);
        self.changed.notify_waiters();
    }
}

impl State {
    fn adopt_bi(&mut self, handle: &Arc<SessionHandle>, stream: IncomingBi) -> BiStream {
        let send = self.adopt_send(handle, stream.send);
        let recv = self.adopt_recv(handle, Received::new(stream.recv, stream.rest));
        BiStream::new(send, recv)
    }

    fn adopt_send(&mut self, handle: &Arc<SessionHandle>, stream: quinn::SendStream) -> SendStream {
        let id = stream.id().into();
        let half = Arc::new(Half::new(stream));
        let key = self.live.insert(LiveHalf::Send(Arc::clone(&half)));
        handle.touch();
        SendStream::new(half, Arc::clone(handle), key, id)
    }

    fn adopt_recv(&mut self, handle: &Arc<SessionHandle>, received: Received) -> RecvStream {
        let id = received.id();
        let half = Arc::new(Half::new(received));
        let key = self.live.insert(LiveHalf::Recv(Arc::clone(&half)));
        handle.touch();
        RecvStream::new(half, Arc::clone(handle), key, id)
    }
}

impl fmt::Debug for SessionCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCore")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn lost(error: quinn::ConnectionError) -> SessionError {
    SessionError::Connection(error.into())
}

/// Two bytes of type and at most eight of session id.
const MAX_HEADER: usize = 10;

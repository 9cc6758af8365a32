use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use crate::connection::LeftBehind;
use crate::error::{Close, SessionError};
use crate::guards::Guards;
use crate::proto::fault::Fault;
use crate::session::datagrams::Datagrams;
use crate::session::handle::SessionHandle;
use crate::session::incoming::IncomingStream;
use crate::session::live::{Live, StreamKey};
use crate::session::waiters::Waiters;
use crate::stream::{
    Abort, BiStream, Lingering, Received, RecvStream, SendStream, Sending, Shared, outlives,
};
use crate::wire;

/// How far a session is, and what it holds.
#[derive(Debug)]
pub(crate) struct State {
    ask: Ask,
    /// The peer is to be told that the session should end soon.
    drain_asked: bool,
    /// The peer has said so.
    draining: bool,
    /// No stream or datagram passes any more.
    ended: Option<SessionError>,
    /// The peer has been told, too, or cannot be.
    over: bool,
    bi: VecDeque<(quinn::SendStream, Received)>,
    bi_readers: Waiters,
    uni: VecDeque<Received>,
    uni_readers: Waiters,
    datagrams: Datagrams,
    datagram_readers: Waiters,
    live: Live,
    lingering: Lingering,
    guards: Guards,
    left_behind: Arc<LeftBehind>,
}

/// What is wanted of the session's task; the stronger wish goes first, and of equals the first.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To go on.
    Open,
    /// To end once everything sent has arrived: the last handle is gone.
    Release,
    /// To end unless the peer says soon how it did: its streams tell that the session is gone.
    Gone,
    /// To end now.
    Close(Close),
    /// To end now, over a fault of the peer's.
    Broken(Fault),
    /// To end now, without a word: the connection is lost.
    Lost(SessionError),
}

impl Ask {
    pub(crate) fn outranks(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// How it ends a session that was not accepted by then.
    pub(crate) fn into_error(self) -> SessionError {
        match self {
            Self::Close(close) => SessionError::Closed(close),
            Self::Lost(error) => error,
            Self::Broken(fault) => SessionError::Protocol { code: fault.code() },
            Self::Open | Self::Release | Self::Gone => SessionError::NotAccepted,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Release => 1,
            Self::Gone => 2,
            Self::Close(_) => 3,
            Self::Broken(_) => 4,
            Self::Lost(_) => 5,
        }
    }
}

impl State {
    pub(crate) fn new(received_datagrams: usize, left_behind: Arc<LeftBehind>) -> Self {
        Self {
            ask: Ask::Open,
            drain_asked: false,
            draining: false,
            ended: None,
            over: false,
            bi: VecDeque::new(),
            bi_readers: Waiters::default(),
            uni: VecDeque::new(),
            uni_readers: Waiters::default(),
            datagrams: Datagrams::new(received_datagrams),
            datagram_readers: Waiters::default(),
            live: Live::default(),
            lingering: Lingering::default(),
            guards: Guards::default(),
            left_behind,
        }
    }

    /// Notes a wish, and says whether it is stronger than the one before.
    pub(crate) fn ask(&mut self, ask: Ask) -> bool {
        let stronger = ask.outranks(&self.ask);
        if stronger {
            self.ask = ask;
        }
        stronger
    }

    pub(crate) fn asked(&self) -> &Ask {
        &self.ask
    }

    pub(crate) fn ask_drain(&mut self) {
        self.drain_asked = true;
    }

    pub(crate) fn is_asked_to_drain(&self) -> bool {
        self.drain_asked
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining || self.drain_asked
    }

    /// Fails once no stream passes any more.
    pub(crate) fn alive(&self) -> Result<(), SessionError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Why no stream passes any more, if none does.
    pub(crate) fn ended(&self) -> Option<SessionError> {
        self.ended.clone()
    }

    /// Why the session is over, if it is.
    pub(crate) fn over(&self) -> Option<SessionError> {
        self.ended.clone().filter(|_| self.over)
    }

    /// Queues a stream that the peer opened; gives it back if none passes any more.
    pub(crate) fn push(&mut self, stream: IncomingStream) -> Option<IncomingStream> {
        match stream {
            stream if self.ended.is_some() => return Some(stream),
            IncomingStream::Bi(send, recv) => self.bi.push_back((send, recv)),
            IncomingStream::Uni(recv) => self.uni.push_back(recv),
        }
        None
    }

    /// Keeps a datagram, and says whether another gave way to it.
    pub(crate) fn push_datagram(&mut self, datagram: Bytes) -> bool {
        self.ended.is_none() && self.datagrams.push(datagram)
    }

    /// The next bidirectional stream, or why there is none any more.
    pub(crate) fn next_bi(
        &mut self,
        handle: &Arc<SessionHandle>,
    ) -> Option<Result<BiStream, SessionError>> {
        let next = self.bi.pop_front();
        let adopt = |(send, recv)| Ok(self.adopt_bi(handle, send, recv));
        next.map(adopt).or_else(|| self.ended().map(Err))
    }

    pub(super) fn bi_readers(&mut self) -> &mut Waiters {
        &mut self.bi_readers
    }

    /// The next unidirectional stream, or why there is none any more.
    pub(crate) fn next_uni(
        &mut self,
        handle: &Arc<SessionHandle>,
    ) -> Option<Result<RecvStream, SessionError>> {
        let next = self.uni.pop_front();
        let adopt = |recv: Received| {
            let shared = self.adopt(handle, recv.id(), None, Some(recv));
            Ok(RecvStream::new(shared))
        };
        next.map(adopt).or_else(|| self.ended().map(Err))
    }

    pub(super) fn uni_readers(&mut self) -> &mut Waiters {
        &mut self.uni_readers
    }

    /// The next datagram, or why there is none any more.
    pub(crate) fn next_datagram(&mut self) -> Option<Result<Bytes, SessionError>> {
        let next = self.datagrams.pop();
        next.map(Ok).or_else(|| self.ended().map(Err))
    }

    pub(super) fn datagram_readers(&mut self) -> &mut Waiters {
        &mut self.datagram_readers
    }

    /// Everybody who waits for a stream or a datagram.
    pub(super) fn readers(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let streams = self
            .bi_readers
            .call_all()
            .chain(self.uni_readers.call_all());
        streams.chain(self.datagram_readers.call_all())
    }

    pub(crate) fn dropped_datagrams(&self) -> u64 {
        self.datagrams.dropped()
    }

    /// Gives a stream the handles that the application uses.
    pub(crate) fn adopt_bi(
        &mut self,
        handle: &Arc<SessionHandle>,
        send: quinn::SendStream,
        recv: Received,
    ) -> BiStream {
        let shared = self.adopt(handle, recv.id(), Some(send), Some(recv));
        if let Some(ended) = &self.ended {
            // The other direction outlives the session.
            shared.end_send(ended, &self.left_behind);
        }
        BiStream::new(
            SendStream::new(Arc::clone(&shared)),
            RecvStream::new(shared),
        )
    }

    pub(crate) fn adopt_send(
        &mut self,
        handle: &Arc<SessionHandle>,
        stream: quinn::SendStream,
    ) -> SendStream {
        let id = stream.id().into();
        SendStream::new(self.adopt(handle, id, Some(stream), None))
    }

    fn adopt(
        &mut self,
        handle: &Arc<SessionHandle>,
        id: u64,
        send: Option<quinn::SendStream>,
        recv: Option<Received>,
    ) -> Arc<Shared> {
        self.live
            .insert(|key| Shared::new(Arc::clone(handle), key, id, send, recv))
    }

    /// Forgets a stream whose handles are gone.
    pub(crate) fn forget(&mut self, key: StreamKey) {
        self.live.remove(key);
    }

    /// Keeps a finished stream until it is delivered; says whether it is the only one.
    pub(crate) fn linger(&mut self, mut stream: Sending) -> bool {
        if self.ended.is_some() {
            stream.abort(&self.left_behind);
            return false;
        }
        let first = self.lingering.is_empty();
        self.lingering.push(stream);
        first
    }

    /// Says whether a stream is kept until it is delivered.
    pub(crate) fn lingers(&self) -> bool {
        !self.lingering.is_empty()
    }

    /// Lets go of those that were delivered or stopped; says whether there were any.
    pub(crate) fn sweep(&mut self) -> bool {
        self.lingering.sweep()
    }

    /// Waits until every stream that lingers is delivered.
    pub(crate) fn delivered(&mut self) -> impl Future<Output = ()> + Send + use<> {
        self.lingering.delivered()
    }

    /// Keeps a guard; gives it back if the session is over.
    pub(crate) fn hold(&mut self, guard: Box<dyn Send>) -> Option<Guards> {
        if self.over {
            return Some(guard.into());
        }
        self.guards.push(guard);
        None
    }

    /// Lets no stream pass any more, and gives those in use; `None` if it had ended.
    pub(crate) fn end(&mut self, error: &SessionError) -> Option<Live> {
        if self.ended.is_some() {
            return None;
        }
        self.ended = Some(error.clone());
        self.datagrams.clear();
        let left_behind = &self.left_behind;
        self.lingering.abort(left_behind);
        self.bi.retain_mut(|(send, recv)| {
            let _ = send.reset(wire::session_gone());
            outlives_or_aborts(recv, error, left_behind)
        });
        self.uni
            .retain_mut(|recv| outlives_or_aborts(recv, error, left_behind));
        Some(mem::take(&mut self.live))
    }

    /// Gives the guards, to be dropped; with none left, the session is over.
    pub(crate) fn finish(&mut self) -> Option<Guards> {
        if self.guards.is_empty() {
            self.over = true;
            return None;
        }
        Some(mem::take(&mut self.guards))
    }
}

/// Says whether a stream that nobody has accepted stays to be accepted.
fn outlives_or_aborts(recv: &mut Received, error: &SessionError, left_behind: &LeftBehind) -> bool {
    let outlives = outlives(recv, error, left_behind);
    if !outlives {
        recv.abort(left_behind);
    }
    outlives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u32) -> Ask {
        Ask::Close(Close::new(code, ""))
    }

    #[test]
    fn the_first_close_decides() {
        let mut state = State::new(1, Arc::default());

        assert!(state.ask(closed(1)));
        assert!(!state.ask(closed(2)));
        assert!(!state.ask(Ask::Release));

        assert!(matches!(state.asked(), Ask::Close(close) if close.code() == 1));
    }

    #[test]
    fn an_explicit_close_hurries_a_release() {
        let mut state = State::new(1, Arc::default());

        assert!(state.ask(Ask::Release));
        assert!(state.ask(closed(3)));

        assert!(matches!(state.asked(), Ask::Close(close) if close.code() == 3));
    }

    #[test]
    fn a_session_ends_once() {
        let mut state = State::new(1, Arc::default());
        let first = SessionError::Aborted { code: 1 };

        assert!(state.end(&first).is_some());
        assert!(state.end(&SessionError::Aborted { code: 2 }).is_none());

        assert_eq!(state.alive(), Err(first));
    }

    #[test]
    fn datagrams_of_an_ended_session_are_gone() {
        let mut state = State::new(1, Arc::default());
        let error = SessionError::Aborted { code: 1 };
        state.push_datagram(Bytes::from_static(b"before"));

        let _ = state.end(&error);
        state.push_datagram(Bytes::from_static(b"after"));

        assert_eq!(state.next_datagram(), Some(Err(error)));
    }
}

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::connection::LeftBehind;
use crate::error::{ReadError, ReadToEndError};
use crate::session::Accepted;
use crate::stream::half::Abort;
use crate::wire;

/// quinn's stream, and what arrived with the header that was taken off it.
#[derive(Debug)]
pub(crate) struct Received {
    stream: quinn::RecvStream,
    rest: Bytes,
    /// What was taken out of quinn beside it.
    next: Bytes,
    /// All that follows them, once it was taken out of quinn. Boxed: rare, and streams are moved
    /// about.
    tail: Option<Box<Tail>>,
    end: Option<End>,
    /// Something was taken out of quinn since somebody looked here.
    fresh: bool,
    /// Of a stream that the peer opened, where its session bounds them.
    room: Option<Accepted>,
    /// How many bytes the application has had since somebody looked here.
    had: usize,
    /// What the application will not have, until somebody looks here.
    lost: Option<Lost>,
}

/// What is left of a stream that is not read to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    /// Bytes that have arrived.
    pub(super) held: usize,
    /// They are the last.
    pub(super) ended: bool,
}

/// What outlives the session, and no longer counts against QUIC's windows.
#[derive(Debug)]
struct Tail {
    chunks: VecDeque<Bytes>,
    /// Room for the stream, and for all that is still to be read of it.
    kept: OwnedSemaphorePermit,
}

/// How a stream ended; quinn tells a reset, and a stop of ours, only once.
#[derive(Clone, Debug)]
enum End {
    Finished,
    Failed(Box<ReadError>),
    /// With its session, of whose end the peer's word is still to come.
    SessionGone,
}

impl Received {
    pub(crate) fn new(stream: quinn::RecvStream, rest: Bytes) -> Self {
        Self {
            stream,
            rest,
            next: Bytes::new(),
            tail: None,
            end: None,
            fresh: false,
            room: None,
            had: 0,
            lost: None,
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.stream.id().into()
    }

    /// Keeps the room that the stream takes as long as it is of use.
    pub(crate) fn take_room(&mut self, accepted: Accepted) {
        self.room = Some(accepted);
    }

    /// Gives that room to who keeps it from here on.
    pub(super) fn leave_room(&mut self) -> Option<Accepted> {
        self.room.take()
    }

    /// Says that it ended with its session, of whose end the peer's word is still to come.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.end, Some(End::SessionGone))
    }

    /// Says whether anything was taken out of quinn since the last time.
    pub(super) fn take_fresh(&mut self) -> bool {
        mem::take(&mut self.fresh)
    }

    /// What the application has had, and will not have, since the last time.
    pub(super) fn settle(&mut self) -> (usize, Option<Lost>) {
        (mem::take(&mut self.had), self.lost.take())
    }

    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<Result<Option<Bytes>, ReadError>> {
        if self.rest.is_empty() && !self.advance() && self.end.is_none() {
            ready!(self.poll_fill(cx));
        }
        if !self.rest.is_empty() {
            let chunk = if max >= self.rest.len() {
                mem::take(&mut self.rest)
            } else {
                self.rest.split_to(max)
            };
            self.had += chunk.len();
            return Poll::Ready(Ok(Some(chunk)));
        }
        match &self.end {
            Some(End::Failed(error)) => Poll::Ready(Err(ReadError::clone(error))),
            Some(End::Finished) | None => Poll::Ready(Ok(None)),
            // The session's end wakes whoever waits, and says why.
            Some(End::SessionGone) => Poll::Pending,
        }
    }

    /// Appends all that has arrived to `all`; ready at the end.
    pub(super) fn poll_to_end(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        all: &mut Vec<u8>,
    ) -> Poll<Result<(), ReadToEndError>> {
        while let Some(chunk) = ready!(self.poll_chunk(cx, usize::MAX))? {
            if chunk.len() > limit - all.len() {
                return Poll::Ready(Err(ReadToEndError::TooLong));
            }
            all.extend_from_slice(&chunk);
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on to what follows `rest`, and says whether there is anything.
    fn advance(&mut self) -> bool {
        self.rest = mem::take(&mut self.next);
        if self.rest.is_empty()
            && let Some(tail) = &mut self.tail
        {
            self.rest = tail.chunks.pop_front().unwrap_or_default();
            if tail.chunks.is_empty() {
                self.tail = None;
            }
        }
        !self.rest.is_empty()
    }

    /// Takes the next two chunks out of quinn, or the end: to be asked for more than one is how
    /// quinn tells the end together with what comes before.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut chunks = [Bytes::new(), Bytes::new()];
        let read = ready!(pin!(self.stream.read_chunks(&mut chunks)).poll(cx));
        self.fresh = true;
        match read {
            Ok(Some(_)) => [self.rest, self.next] = chunks,
            Ok(None) => self.end = Some(End::Finished),
            Err(quinn::ReadError::Reset(code)) if code == wire::session_gone() => {
                self.end = Some(End::SessionGone);
            }
            Err(error) => {
                let (held, ended) = (0, false);
                self.lost = Some(Lost { held, ended });
                self.end = Some(End::Failed(Box::new(error.into())));
            }
        }
        Poll::Ready(())
    }

    pub(crate) fn stop(&mut self, code: quinn::VarInt) -> Result<(), ReadError> {
        let tail = self.tail.take().map_or(0, |tail| tail.len());
        let held = mem::take(&mut self.rest).len() + mem::take(&mut self.next).len() + tail;
        if self.end.is_some() {
            if held > 0 {
                self.lost = Some(Lost { held, ended: true });
            }
            return Err(ReadError::Stopped);
        }
        self.end = Some(End::Failed(Box::new(ReadError::Stopped)));
        // To quinn it may have ended: the application had not read so far.
        let ended = self.stream.stop(code).is_err();
        self.lost = Some(Lost { held, ended });
        Ok(())
    }
}

impl Tail {
    fn new(kept: OwnedSemaphorePermit) -> Self {
        Self {
            chunks: VecDeque::new(),
            kept,
        }
    }

    fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    fn push(&mut self, chunk: Bytes, kept: OwnedSemaphorePermit) {
        self.chunks.push_back(chunk);
        self.kept.merge(kept);
    }
}

impl Abort for Received {
    fn abort(&mut self, _: &LeftBehind) {
        let _ = self.stop(wire::session_gone());
    }

    /// It does if all of it has arrived, and the peer, which would have reset it, knows; and if
    /// there is room for it beside what else outlives its session.
    fn outlives(&mut self, left_behind: &LeftBehind) -> bool {
        let held = self.rest.len() + self.next.len();
        let Some(kept) = left_behind.keep(STREAM + held) else {
            return false;
        };
        self.tail.get_or_insert_with(|| Box::new(Tail::new(kept)));
        let mut context = Context::from_waker(Waker::noop());
        while self.end.is_none() {
            match pin!(self.stream.read_chunk(usize::MAX, true)).poll(&mut context) {
                Poll::Ready(Ok(Some(chunk))) => {
                    let Some(kept) = left_behind.keep(chunk.bytes.len()) else {
                        return false;
                    };
                    if let Some(tail) = &mut self.tail {
                        tail.push(chunk.bytes, kept);
                    }
                }
                Poll::Ready(Ok(None)) => self.end = Some(End::Finished),
                Poll::Ready(Err(_)) | Poll::Pending => return false,
            }
        }
        matches!(self.end, Some(End::Finished))
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // quinn would stop it with the raw code 0, which is none of an application's.
        let _ = self.stop(wire::app_code(0));
    }
}

/// What a stream takes up itself, about.
const STREAM: usize = 512;

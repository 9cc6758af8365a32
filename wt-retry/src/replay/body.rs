use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use crate::replay::source::{Lent, Rest, Source};
use crate::replay::tape::{Tape, Trailers};

/// A request's body that can be sent again, as long as it is not longer than a limit.
///
/// With the feature `http`.
///
/// What is read of it is kept, while another attempt may need it. That attempt sends what was kept
/// and goes on with the rest, so that it is the same to the byte wherever the one before has
/// stopped; the body of the one before fails once another attempt is decided on.
///
/// A body that is longer is sent all the same; nothing of it is kept, and
/// [`Buffered`](super::Buffered) does not let its request be sent again.
pub struct ReplayBody<B> {
    source: Arc<Source<B>>,
    handle: u64,
    /// How many bytes this handle has given out.
    position: usize,
    ended: bool,
}

impl<B: Body> ReplayBody<B> {
    /// Keeps up to `limit` bytes of `body`, its trailers included.
    #[must_use]
    pub fn new(body: B, limit: usize) -> Self {
        Self {
            source: Source::new(body, limit),
            handle: 0,
            position: 0,
            ended: false,
        }
    }
}

impl<B> ReplayBody<B> {
    /// The same body for another attempt; `None` if not all of it will be there.
    pub(crate) fn again(&self) -> Option<Self> {
        let mut state = self.source.lock();
        let room = u64::try_from(state.tape.room()).unwrap_or(u64::MAX);
        if state.hint.lower() > room {
            state.tape.tear();
        }
        let whole = state.is_whole();
        whole.then(|| Self {
            source: Arc::clone(&self.source),
            handle: state.next_handle(),
            position: 0,
            ended: false,
        })
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.source.lock().is_whole()
    }

    /// Ends the bodies of the attempts before; `false` if one of them has read too much by then.
    pub(crate) fn take_over(&self) -> bool {
        self.source.take_over(self.handle) && self.is_whole()
    }

    /// Gives what was kept, or says what to do for more.
    fn turn(&mut self, cx: &Context<'_>) -> Turn<B> {
        if !self.source.take_over(self.handle) {
            return Turn::Give(Err(BodyError::Superseded));
        }
        let mut state = self.source.lock();
        let Some(kept) = state.tape.after(self.position) else {
            return Turn::Give(Err(BodyError::Lost));
        };
        if !kept.is_empty() {
            self.position += kept.len();
            return Turn::Give(Ok(Frame::data(Bytes::copy_from_slice(kept))));
        }
        match state.take() {
            Rest::Here(body) => Turn::Read(body),
            Rest::Lent => {
                state.queue(cx.waker());
                Turn::Wait
            }
            Rest::Failed => Turn::Give(Err(BodyError::Lost)),
            Rest::Ended => match state.tape.trailers() {
                Trailers::None => Turn::End,
                Trailers::Kept(trailers) => Turn::Give(Ok(Frame::trailers(trailers.clone()))),
                Trailers::Lost => Turn::Give(Err(BodyError::Lost)),
            },
        }
    }
}

/// What a handle does next.
enum Turn<B> {
    Give(Result<Frame<Bytes>, BodyError>),
    End,
    Wait,
    Read(Pin<Box<B>>),
}

impl<B> ReplayBody<B>
where
    B: Body<Error: Into<BoxError>>,
{
    /// Reads on, while no other handle can.
    fn read(&mut self, body: Pin<Box<B>>, cx: &mut Context<'_>) -> Poll<Option<Polled>> {
        // Without another handle, nobody can send it again, nor make one that could.
        let alone = Arc::strong_count(&self.source) == 1;
        let mut lent = Lent::new(Arc::clone(&self.source), body);
        let polled = lent.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = polled {
            let frame = frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
            self.position += frame.data_ref().map_or(0, Bytes::len);
            lent.put_back(|tape| keep(tape, &frame, alone));
            return Poll::Ready(Some(Ok(frame)));
        }
        drop(lent);
        match polled {
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(BodyError::Source(error.into()))))
            }
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if self.source.lock().wait(self.handle, cx.waker()) => Poll::Pending,
            Poll::Pending => Poll::Ready(Some(Err(BodyError::Superseded))),
        }
    }
}

/// Keeps what was read, if somebody may need it.
fn keep(tape: &mut Tape, frame: &Frame<Bytes>, alone: bool) {
    if alone {
        tape.tear();
    }
    if let Some(data) = frame.data_ref() {
        tape.record(data);
    }
    if let Some(trailers) = frame.trailers_ref() {
        tape.record_trailers(trailers);
    }
}

type Polled = Result<Frame<Bytes>, BodyError>;

impl<B> Body for ReplayBody<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Polled>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let polled = match this.turn(cx) {
            Turn::Give(frame) => Poll::Ready(Some(frame)),
            Turn::End => Poll::Ready(None),
            Turn::Wait => Poll::Pending,
            Turn::Read(body) => this.read(body, cx),
        };
        this.ended |= match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.source.lock();
        let read = matches!(state.rest, Rest::Ended) && self.position == state.tape.passed();
        self.ended || read && *state.tape.trailers() == Trailers::None
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.source.lock();
        let kept = state.tape.passed() - self.position;
        let kept = u64::try_from(kept).unwrap_or(u64::MAX);
        let mut hint = SizeHint::new();
        if let Some(upper) = state.hint.upper() {
            hint.set_upper(upper.saturating_add(kept));
        }
        hint.set_lower(state.hint.lower().saturating_add(kept));
        hint
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody")
            .field("handle", &self.handle)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Why a [`ReplayBody`] broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// A newer attempt sends the body.
    #[error("another attempt sends the body")]
    Superseded,
    /// Some of it was not kept.
    #[error("the body cannot be sent again")]
    Lost,
    /// The body itself failed.
    #[error("the body failed")]
    Source(#[source] BoxError),
}

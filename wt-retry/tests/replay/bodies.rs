use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// Part of a body; `None` is a poll that is not ready yet.
pub(crate) type Chunk = Option<Vec<u8>>;

/// A body of chunks, and perhaps trailers.
pub(crate) struct Chunks {
    chunks: VecDeque<Chunk>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) fails: bool,
    /// Whether it says that it is at its end before it is asked for more.
    pub(crate) foresees: bool,
}

impl Chunks {
    pub(crate) fn new(chunks: impl IntoIterator<Item = Chunk>) -> Self {
        Self {
            chunks: chunks.into_iter().collect(),
            trailers: None,
            fails: false,
            foresees: true,
        }
    }

    pub(crate) fn of(content: &[u8]) -> Self {
        Self::new([Some(content.to_vec())])
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match self.chunks.pop_front() {
            Some(Some(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk.into())))),
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.fails => Poll::Ready(Some(Err("unreadable"))),
            None => Poll::Ready(self.trailers.take().map(|all| Ok(Frame::trailers(all)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.foresees && self.chunks.is_empty() && self.trailers.is_none() && !self.fails
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.chunks.iter().flatten().map(Vec::len).sum::<usize>();
        SizeHint::with_exact(length as u64)
    }
}

/// Does not say how long it is.
pub(crate) struct Unsized(pub(crate) Chunks);

impl Body for Unsized {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// Has nothing to give, yet.
pub(crate) struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Calls a function when it is polled, and is of one frame.
pub(crate) struct Hooked(pub(crate) Option<Box<dyn FnOnce() + Send>>);

impl Body for Hooked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let hook = self.0.take();
        Poll::Ready(hook.map(|hook| {
            hook();
            Ok(Frame::data("content".into()))
        }))
    }
}

/// Calls a function when it is asked how long it is.
pub(crate) struct Asked {
    pub(crate) chunks: Chunks,
    pub(crate) hook: Box<dyn Fn() + Send>,
}

impl Body for Asked {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Pin::new(&mut self.chunks).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        (self.hook)();
        self.chunks.size_hint()
    }
}

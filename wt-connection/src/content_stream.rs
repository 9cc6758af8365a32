use crate::connection::LeftBehind;
use crate::error::SessionError;
use crate::proto::code;
use crate::{reply, wire};

/// Where the content of an answer goes; dropped before its end, the stream is reset: quinn would
/// finish it.
pub(crate) struct ContentStream<'a> {
    send: Option<quinn::SendStream>,
    left_behind: &'a LeftBehind,
}

impl<'a> ContentStream<'a> {
    pub(crate) fn new(send: quinn::SendStream, left_behind: &'a LeftBehind) -> Self {
        Self {
            send: Some(send),
            left_behind,
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        reply::write(self.send.as_mut().expect(TAKEN_LAST), bytes).await
    }

    /// Gives the stream, of whose content all is written.
    pub(crate) fn into_inner(mut self) -> quinn::SendStream {
        self.send.take().expect(TAKEN_LAST)
    }
}

impl Drop for ContentStream<'_> {
    fn drop(&mut self) {
        if let Some(send) = &mut self.send {
            let code = wire::varint(code::H3_INTERNAL_ERROR);
            // One that the peer has stopped is closed.
            let _ = self.left_behind.reset(send, code);
        }
    }
}

const TAKEN_LAST: &str = "the stream is taken once, at the end";

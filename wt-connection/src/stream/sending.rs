use quinn::{StoppedError, VarInt};

use crate::connection::LeftBehind;
use crate::stream::half::Abort;
use crate::wire;

/// quinn's stream, and whether somebody has waited for its end, of which quinn keeps something.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) stream: quinn::SendStream,
    watched: bool,
}

impl Sending {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            watched: false,
        }
    }

    /// Waits until the peer has stopped the stream, or has all of it.
    pub(crate) fn stopped(
        &mut self,
    ) -> impl Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync + use<> {
        self.watched = true;
        self.stream.stopped()
    }
}

impl Abort for Sending {
    fn abort(&mut self, left_behind: &LeftBehind) {
        let code = wire::session_gone();
        // One that has been acknowledged needs no reset.
        let _ = if self.watched {
            left_behind.reset(&mut self.stream, code)
        } else {
            self.stream.reset(code)
        };
    }
}

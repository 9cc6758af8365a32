use bytes::Bytes;
use quinn::WriteError;

use crate::error::SessionError;
use crate::session::SessionCore;
use crate::wire;

/// A stream that was opened and whose header has not been sent.
///
/// Dropped, it is reset: the peer could not tell which session it belongs to.
pub(crate) struct Unannounced(Option<quinn::SendStream>);

impl Unannounced {
    pub(crate) fn new(send: quinn::SendStream) -> Self {
        Self(Some(send))
    }

    /// Sends the header, and gives the stream to whoever will use it.
    pub(crate) async fn announce(
        mut self,
        session: &SessionCore,
        header: &Bytes,
    ) -> Result<quinn::SendStream, SessionError> {
        let send = self.0.as_mut().expect(WHOLE);
        let written = tokio::select! {
            biased;
            written = send.write_chunk(header.clone()) => written,
            ended = session.ended() => return Err(ended),
        };
        if let Err(WriteError::ConnectionLost(error)) = written {
            return Err(session.lost(error));
        }
        // Any other failure is the peer's wish, which the stream's first use will tell.
        Ok(self.0.take().expect(WHOLE))
    }
}

impl Drop for Unannounced {
    fn drop(&mut self) {
        if let Some(send) = &mut self.0 {
            let _ = send.reset(wire::session_gone());
        }
    }
}

const WHOLE: &str = "the stream is taken once, at the end";

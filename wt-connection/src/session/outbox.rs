use bytes::{Buf, BytesMut};

use crate::proto::capsule::Capsule;
use crate::proto::{code, frame};
use crate::wire;

/// The sending direction of a CONNECT stream, which carries capsules.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) stream: quinn::SendStream,
    pending: BytesMut,
}

impl Outbox {
    pub(crate) fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            pending: BytesMut::new(),
        }
    }

    pub(crate) fn push(&mut self, capsule: &Capsule) {
        let mut content = BytesMut::new();
        capsule.encode(&mut content);
        frame::put(&mut self.pending, frame::DATA, &content);
    }

    /// Sends what was pushed.
    ///
    /// Cancel safe: what has not been sent is in `pending`.
    pub(crate) async fn flush(&mut self) -> Result<(), quinn::WriteError> {
        while self.pending.has_remaining() {
            let written = self.stream.write(&self.pending).await?;
            self.pending.advance(written);
        }
        Ok(())
    }

    /// Ends the direction; where that would cut off what was pushed, it is reset.
    pub(crate) fn finish(&mut self) {
        // It may be closed already, which is what is wanted.
        if self.pending.has_remaining() {
            let _ = self.stream.reset(wire::varint(code::H3_NO_ERROR));
        } else {
            let _ = self.stream.finish();
        }
    }
}

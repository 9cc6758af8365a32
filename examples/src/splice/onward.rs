use std::ops::{Deref, DerefMut};

use wt_connection::{SendStream, WriteError};

use crate::splice::LOST;

/// A stream that is reset if it is dropped unfinished: finished, it would look complete.
pub(super) struct Onward {
    send: SendStream,
    done: bool,
}

impl Onward {
    pub(super) fn new(send: SendStream) -> Self {
        Self { send, done: false }
    }

    /// Ends the stream, and waits until the peer has all of it, or reads no further.
    pub(super) async fn finish(&mut self) -> Result<(), WriteError> {
        self.send.finish()?;
        match self.send.stopped().await {
            Ok(_) | Err(WriteError::Stopped(_)) => {
                self.done = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the stream up as the other side did.
    pub(super) fn reset(mut self, code: u32) {
        // It fails if the session is over, which says more.
        let _ = self.send.reset(code);
        self.done = true;
    }
}

impl Deref for Onward {
    type Target = SendStream;

    fn deref(&self) -> &SendStream {
        &self.send
    }
}

impl DerefMut for Onward {
    fn deref_mut(&mut self) -> &mut SendStream {
        &mut self.send
    }
}

impl Drop for Onward {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.send.reset(LOST);
        }
    }
}

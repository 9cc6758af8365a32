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

#[cfg(test)]
mod tests {
    use tower::ServiceExt;
    use wt_connection::{Connector, Endpoint, Identity, ReadError, Trust};

    use super::*;

    #[tokio::test]
    async fn one_that_is_dropped_unfinished_is_reset() {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let endpoint = Endpoint::server("127.0.0.1:0".parse().unwrap(), identity).unwrap();
        let target = endpoint.local_address().unwrap().into();
        let accepting = tokio::spawn(async move {
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            connection.accept().await.unwrap().accept().await.unwrap()
        });
        let connector = Connector::new(Endpoint::client(trust).unwrap());
        let connection = connector.oneshot(target).await.unwrap();
        let client = connection.open("/").await.unwrap();
        let server = accepting.await.unwrap();
        let mut send = Onward::new(client.open_uni().await.unwrap());
        send.write_all(b"half of").await.unwrap();
        let mut recv = server.accept_uni().await.unwrap();
        recv.read_chunk(7).await.unwrap();

        drop(send);

        let broken = recv.read_chunk(1).await;
        assert_eq!(broken, Err(ReadError::Reset(Some(LOST))));
    }
}

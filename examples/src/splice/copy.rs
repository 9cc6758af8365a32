use wt_connection::{ReadError, RecvStream, WriteError};

use crate::splice::onward::Onward;

/// A direction that broke off with its session. Whoever has it keeps it until both sessions are
/// over, so that their end is what the peers hear of.
#[must_use]
pub(super) struct Broken {
    _recv: RecvStream,
    _send: Option<Onward>,
}

impl Broken {
    pub(super) fn new(recv: RecvStream, send: Onward) -> Self {
        Self {
            _recv: recv,
            _send: Some(send),
        }
    }

    /// One that was not opened on the other side.
    pub(super) fn only(recv: RecvStream) -> Self {
        Self {
            _recv: recv,
            _send: None,
        }
    }
}

/// Carries one direction of a stream to its end, and waits until that is delivered.
pub(super) async fn copy(mut recv: RecvStream, mut send: Onward) -> Option<Broken> {
    loop {
        let read = tokio::select! {
            biased;
            read = recv.read_chunk(CHUNK) => read,
            stopped = send.stopped() => match stopped {
                Ok(code) => return stop(recv, code),
                Err(WriteError::Stopped(code)) => return stop(recv, code),
                Err(_) => return Some(Broken::new(recv, send)),
            },
        };
        match read {
            Ok(Some(chunk)) => match send.write_chunk(chunk).await {
                Ok(()) => {}
                Err(WriteError::Stopped(code)) => return stop(recv, code),
                Err(_) => return Some(Broken::new(recv, send)),
            },
            Ok(None) => {
                return send
                    .finish()
                    .await
                    .is_err()
                    .then(|| Broken::new(recv, send));
            }
            Err(ReadError::Reset(code)) => {
                send.reset(code.unwrap_or_default());
                return None;
            }
            Err(_) => return Some(Broken::new(recv, send)),
        }
    }
}

/// Passes on that nobody reads any further.
fn stop(mut recv: RecvStream, code: Option<u32>) -> Option<Broken> {
    // It fails if the stream has ended meanwhile, of which nobody wants to know any more.
    let _ = recv.stop(code.unwrap_or_default());
    None
}

/// How much of one direction is held here at most.
const CHUNK: usize = 64 * 1024;

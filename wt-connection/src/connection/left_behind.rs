use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quinn::{ClosedStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SetOnce};

use crate::{wait, wire};

/// What is kept of a connection's streams that are over.
///
/// Until the connection's end, quinn keeps a few words for each stream that is reset after somebody
/// has waited for the peer to stop it or to acknowledge it, unless the peer does stop it. A
/// connection with many of them is to drain, so that another takes its place: then only what is
/// open, and the streams of its sessions, can add to them.
///
/// What arrived whole before its session was closed is kept until it is read.
#[derive(Debug)]
pub(crate) struct LeftBehind {
    resets: AtomicU32,
    much: SetOnce<()>,
    /// For so many more bytes there is room.
    room: Arc<Semaphore>,
}

impl Default for LeftBehind {
    fn default() -> Self {
        Self::new(ROOM)
    }
}

impl LeftBehind {
    /// Has room for so many bytes of streams that outlive their sessions.
    pub(crate) fn new(room: u32) -> Self {
        Self {
            resets: AtomicU32::new(0),
            much: SetOnce::new(),
            room: Arc::new(Semaphore::new((room as usize).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Resets a stream of which somebody may have waited for the end, and counts it.
    pub(crate) fn reset(
        &self,
        stream: &mut quinn::SendStream,
        code: VarInt,
    ) -> Result<(), ClosedStream> {
        // What the peer has stopped, or has all of, is gone.
        let kept = wait::at_once(pin!(stream.stopped())).is_none();
        stream.reset(code)?;
        if kept {
            self.add();
        }
        Ok(())
    }

    /// Gives both directions of such a stream back to the peer.
    pub(crate) fn refuse(
        &self,
        send: &mut quinn::SendStream,
        recv: &mut quinn::RecvStream,
        code: u64,
    ) {
        let code = wire::varint(code);
        // Either direction may be closed already, which is what is wanted.
        let _ = self.reset(send, code);
        let _ = recv.stop(code);
    }

    /// Counts a stream that was reset.
    fn add(&self) {
        if self.resets.fetch_add(1, Ordering::Relaxed) + 1 == MUCH {
            // It is reached once, until the number wraps around.
            let _ = self.much.set(());
        }
    }

    /// Finds room for so many bytes, as long as what is given lives.
    pub(crate) fn keep(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = bytes.try_into().ok()?;
        Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()
    }

    /// Waits until the connection should drain.
    pub(crate) async fn much(&self) {
        self.much.wait().await;
    }
}

/// Of some 100 bytes each.
const MUCH: u32 = 4096;
/// As much as a connection may receive ahead of the application, unless that is set.
const ROOM: u32 = 16 << 20;

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    use super::*;

    #[test]
    fn room_comes_back_with_what_was_kept() {
        let left = LeftBehind::default();

        let most = left.keep(ROOM as usize - 1);
        assert!(left.keep(2).is_none());
        drop(most);

        assert!(left.keep(ROOM as usize).is_some());
    }

    #[test]
    fn who_leaves_much_behind_is_told() {
        let left = LeftBehind::default();
        let mut much = spawn(left.much());

        (1..MUCH).for_each(|_| left.add());
        assert_pending!(much.poll());
        left.add();

        assert_ready!(much.poll());
    }
}

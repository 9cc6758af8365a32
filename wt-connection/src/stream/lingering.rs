use std::mem;

use crate::connection::LeftBehind;
use crate::stream::{Abort, Sending};

/// Streams that were finished and let go of, until they are delivered or the peer wants no more.
///
/// The peer's limit of open streams bounds them: four times as many at most.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    streams: Vec<Sending>,
    sweep_at: usize,
}

impl Lingering {
    /// Keeps a stream that is finished.
    pub(crate) fn push(&mut self, stream: Sending) {
        if self.streams.len() >= self.sweep_at.max(SWEEP_FIRST) {
            let before = self.streams.len();
            self.streams
                .retain(|sending| !is_delivered(&sending.stream));
            if 2 * self.streams.len() > before {
                // That costs as much again, and stops are rare.
                self.sweep();
            }
            // Four times what is left, so that few streams are looked at twice.
            self.sweep_at = 4 * self.streams.len();
        }
        self.streams.push(stream);
    }

    /// Waits until nothing of these lingers, whatever is pushed meanwhile.
    pub(crate) fn delivered(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let stopped: Vec<_> = self.streams.iter_mut().map(Sending::stopped).collect();
        async move {
            for stopped in stopped {
                // Stopped or lost is as good as delivered: nothing more will be.
                let _ = stopped.await;
            }
        }
    }

    /// Lets go of those that are delivered, or were stopped: these take up the peer's room until
    /// they are dropped, which resets them. Says whether there were any.
    pub(crate) fn sweep(&mut self) -> bool {
        let before = self.streams.len();
        self.streams
            .retain_mut(|sending| !is_settled(&mut sending.stream));
        self.streams.len() < before
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many linger.
    pub(crate) fn count(&mut self) -> usize {
        self.sweep();
        self.streams.len()
    }

    /// Gives up what is not yet delivered.
    pub(crate) fn abort(&mut self, left_behind: &LeftBehind) {
        for mut stream in mem::take(&mut self.streams) {
            stream.abort(left_behind);
        }
    }
}

/// Says whether a finished stream was acknowledged or stopped.
fn is_settled(stream: &mut quinn::SendStream) -> bool {
    is_delivered(stream) || is_stopped(stream)
}

/// Says whether a finished stream was acknowledged: quinn has forgotten its priority then. That is
/// asked for, since `stopped`, which would tell, too, registers a waker each time.
fn is_delivered(stream: &quinn::SendStream) -> bool {
    stream.priority().is_err()
}

/// Says whether a stream that was finished before was stopped: only then quinn finishes it again.
pub(crate) fn is_stopped(stream: &mut quinn::SendStream) -> bool {
    stream.finish().is_ok()
}

const SWEEP_FIRST: usize = 32;

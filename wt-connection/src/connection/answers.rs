use crate::lock::Lock;
use crate::stream::{Lingering, Sending, is_stopped};

/// Answers to the peer's requests that are finished, until the peer has them: a connection does not
/// end before.
#[derive(Debug, Default)]
pub(crate) struct Answers(Lock<Lingering>);

impl Answers {
    /// Keeps the stream of an answer, which is finished.
    pub(crate) fn push(&self, mut send: quinn::SendStream) {
        if !is_stopped(&mut send) {
            self.0.lock().push(Sending::new(send));
        }
    }

    /// Waits until every answer is delivered.
    pub(crate) async fn delivered(&self) {
        let delivered = self.0.lock().delivered();
        delivered.await;
    }

    /// How many are not delivered.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().count()
    }
}

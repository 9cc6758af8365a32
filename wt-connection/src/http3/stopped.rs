use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;

use crate::http3::streams::Ahead;
use crate::lock::Lock;

/// Done once nobody wants what is sent on a stream any more, or the connection is over.
pub(crate) type Stopped = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// Waits until nobody wants what is sent on `stream` any more.
pub(super) fn stopped(stream: &quinn::SendStream) -> Stopped {
    let stopped = stream.stopped();
    Box::pin(async move {
        let _ = stopped.await;
    })
}

/// From the transport, which opens the streams of requests, past h3 to who sends them.
#[derive(Default)]
pub(crate) struct Opened(Lock<HashMap<u64, (Stopped, Ahead)>>);

impl Opened {
    pub(super) fn put(&self, id: u64, stopped: Stopped, ahead: Ahead) {
        self.0.lock().insert(id, (stopped, ahead));
    }

    pub(super) fn take(&self, id: u64) -> Option<(Stopped, Ahead)> {
        self.0.lock().remove(&id)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

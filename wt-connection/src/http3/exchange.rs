use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use tokio::sync::SetOnce;

use crate::connection::Core;
use crate::lock::Lock;

/// What both directions of a request's stream share, also with those who use them through h3.
pub(crate) struct Exchange {
    id: u64,
    core: Arc<Core>,
    /// How much content h3 was given that the application has not yet had.
    ///
    /// h3 asks for more whenever it is asked for what it has, so that it would hold ever more of
    /// what a peer sends in small frames, and QUIC's windows would hold nobody back.
    ahead: AtomicUsize,
    /// Until somebody waits for it.
    stopped: Lock<Option<Stopped>>,
    /// Both directions are to be given up with this code of HTTP/3's.
    aborted: SetOnce<u64>,
    /// Who reads, and waits.
    reading: Lock<Option<Waker>>,
}

/// Done once nobody wants what is sent on a stream any more, or the connection is over.
pub(super) type Stopped = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// The exchanges of one connection that somebody holds.
#[derive(Default)]
pub(crate) struct Exchanges(Lock<HashMap<u64, Weak<Exchange>>>);

impl Exchange {
    /// Begins the one of `stream`.
    pub(super) fn begin(stream: &quinn::SendStream, core: &Arc<Core>) -> Arc<Self> {
        let stopped = stream.stopped();
        let exchange = Arc::new(Self {
            id: stream.id().into(),
            core: Arc::clone(core),
            ahead: AtomicUsize::new(0),
            stopped: Lock::new(Some(Box::pin(async move {
                let _ = stopped.await;
            }))),
            aborted: SetOnce::new(),
            reading: Lock::default(),
        });
        let weak = Arc::downgrade(&exchange);
        core.exchanges.0.lock().insert(exchange.id, weak);
        exchange
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Notes that h3 was given so much content.
    pub(super) fn give(&self, content: usize) {
        self.ahead.fetch_add(content, Ordering::Relaxed);
    }

    /// Notes that the application has had so much.
    pub(super) fn had(&self, content: usize) {
        self.ahead.fetch_sub(content, Ordering::Relaxed);
    }

    /// Says whether h3 has content that the application has not had.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.load(Ordering::Relaxed) > 0
    }

    /// Waits until nobody wants what is sent any more; forever if that is waited for elsewhere.
    pub(super) async fn unwanted(&self) {
        let stopped = self.stopped.lock().take();
        tokio::select! {
            () = async {
                match stopped {
                    Some(stopped) => stopped.await,
                    None => pending().await,
                }
            } => {}
            _ = self.aborted.wait() => {}
        }
    }

    /// What both directions are to be given up with, if they are.
    pub(super) fn aborted(&self) -> Option<u64> {
        self.aborted.get().copied()
    }

    /// The same; who reads is told later if they are not.
    pub(super) fn poll_aborted(&self, cx: &Context<'_>) -> Poll<u64> {
        let mut reading = self.reading.lock();
        let known = reading
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = match known {
            true => None,
            false => reading.replace(cx.waker().clone()),
        };
        // The drop of a waker is somebody else's code.
        drop(reading);
        drop(old);
        self.aborted().map_or(Poll::Pending, Poll::Ready)
    }

    fn abort(&self, code: u64) {
        if self.aborted.set(code).is_err() {
            return;
        }
        self.core.count_error();
        let reading = self.reading.lock().take();
        if let Some(waker) = reading {
            waker.wake();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.core.exchanges.0.lock().remove(&self.id);
    }
}

impl Exchanges {
    /// The exchange of the stream `id`.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Exchange>> {
        self.0.lock().get(&id)?.upgrade()
    }

    /// Gives both directions of the stream `id` up, if it is a request's that is under way.
    pub(crate) fn abort(&self, id: u64, code: u64) {
        if let Some(exchange) = self.get(id) {
            exchange.abort(code);
        }
    }
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchanges")
    }
}

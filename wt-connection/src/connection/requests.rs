use std::collections::VecDeque;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::activity::InUse;
use crate::connection::sweeps::Sweeps;
use crate::given_up::given_up;
use crate::http3::Arrival;
use crate::lock::Lock;
use crate::proto::code;
use crate::sessions::Sessions;
use crate::{wait, wire};

/// The requests of the peer's that nobody has looked at yet.
///
/// The session limit bounds how many ask for a session, the peer's limit of open streams the
/// others.
#[derive(Debug)]
pub(crate) struct Requests {
    sessions: Arc<Sessions>,
    connects: Lock<VecDeque<Queued>>,
    sweeps: Lock<Sweeps>,
    plain: Lock<VecDeque<Box<Arrival>>>,
    arrived: Notify,
    /// Nobody answers any more.
    closed: AtomicBool,
    refused: AtomicU64,
}

/// A CONNECT that nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) request: http::Request<()>,
    pub(crate) send: quinn::SendStream,
    pub(crate) recv: quinn::RecvStream,
    pub(crate) rest: Bytes,
    pub(crate) in_use: InUse,
}

/// What arrived next for a server that answers all requests.
#[derive(Debug)]
pub(crate) enum Next {
    Connect(Box<Queued>),
    Plain(Box<Arrival>),
}

impl Requests {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self {
            sessions,
            connects: Lock::default(),
            sweeps: Lock::default(),
            plain: Lock::default(),
            arrived: Notify::new(),
            closed: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a CONNECT in, unless the limit is reached, by more than those that were given up.
    pub(crate) fn admit(&self, id: u64) -> bool {
        let admitted = self.sessions.ask(id) || {
            self.sweep();
            self.sessions.ask(id)
        };
        if !admitted {
            self.count_refused(id, "max_sessions");
        }
        admitted
    }

    /// Queues a CONNECT that was admitted.
    pub(crate) fn push(&self, queued: Queued) {
        self.connects.lock().push_back(queued);
        self.arrived();
    }

    /// Queues any other request.
    pub(crate) fn push_plain(&self, arrival: Box<Arrival>) {
        self.plain.lock().push_back(arrival);
        self.arrived();
    }

    /// Waits for the next CONNECT that the client still wants, or until `over` says why none comes.
    pub(crate) async fn next_connect<E>(&self, over: impl Fn() -> Option<E>) -> Result<Queued, E> {
        wait::until(&self.arrived, || {
            let connect = self.pop().map(Ok);
            connect.or_else(|| over().map(Err))
        })
        .await
    }

    /// Waits for the next request of either kind, or until `over` says why none comes.
    pub(crate) async fn next<E>(&self, over: impl Fn() -> Option<E>) -> Result<Next, E> {
        wait::until(&self.arrived, || {
            let plain = || self.pop_plain().map(Next::Plain);
            let next = self.pop().map(Box::new).map(Next::Connect).or_else(plain);
            next.map(Ok).or_else(|| over().map(Err))
        })
        .await
    }

    /// Lets whoever waits look at whether anything more comes.
    pub(crate) fn wake(&self) {
        self.arrived.notify_waiters();
    }

    /// Refuses every request from here on, `waiting` first: nobody answers any more.
    pub(crate) fn close(&self, waiting: Option<Next>) {
        self.closed.store(true, Ordering::SeqCst);
        let code = code::H3_REQUEST_REJECTED;
        match waiting {
            Some(Next::Connect(queued)) => self.refuse([*queued], code),
            Some(Next::Plain(arrival)) => arrival.refuse(code),
            None => {}
        }
        self.refuse_all(code);
    }

    /// How many requests nobody has looked at.
    pub(crate) fn queued(&self) -> usize {
        self.connects.lock().len() + self.plain.lock().len()
    }

    /// Refuses every CONNECT that nobody has looked at; says how many.
    pub(crate) fn refuse_connects(&self, code: u64) -> usize {
        let connects = mem::take(&mut *self.connects.lock());
        let count = connects.len();
        self.refuse(connects, code);
        count
    }

    /// Refuses every request that nobody has looked at.
    pub(crate) fn refuse_all(&self, code: u64) {
        self.refuse_connects(code);
        let plain = mem::take(&mut *self.plain.lock());
        for arrival in plain {
            arrival.refuse(code);
        }
    }

    /// Counts a request that was refused because it was over the limit of this name.
    pub(crate) fn count_refused(&self, stream: u64, limit: &'static str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(stream, limit, "a request over a limit");
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Tells whoever waits of what has arrived.
    fn arrived(&self) {
        self.arrived.notify_waiters();
        // Looked at behind the push: what `close` has not seen is refused here.
        if self.closed.load(Ordering::SeqCst) {
            self.refuse_all(code::H3_REQUEST_REJECTED);
        }
    }

    /// Forgets every CONNECT that the client has given up before anybody looked at it, unless that
    /// was done just before.
    fn sweep(&self) {
        let mut connects = self.connects.lock();
        let (now, mut sweeps) = (Instant::now(), self.sweeps.lock());
        if !sweeps.is_due(now) {
            return;
        }
        sweeps.begin(now, connects.len());
        drop(sweeps);
        let (given_up, wanted) = mem::take(&mut *connects)
            .into_iter()
            .map(|mut queued| (queued.is_given_up(), queued))
            .partition::<Vec<_>, _>(|(given_up, _)| *given_up);
        connects.extend(wanted.into_iter().map(|(_, queued)| queued));
        drop(connects);
        let given_up = given_up.into_iter().map(|(_, queued)| queued);
        self.refuse(given_up, code::H3_REQUEST_CANCELLED);
    }

    /// The next CONNECT that the client still wants.
    fn pop(&self) -> Option<Queued> {
        loop {
            let mut queued = self.connects.lock().pop_front()?;
            if queued.is_given_up() {
                self.refuse([queued], code::H3_REQUEST_CANCELLED);
            } else {
                return Some(queued);
            }
        }
    }

    /// The next other request that is not given up.
    fn pop_plain(&self) -> Option<Box<Arrival>> {
        loop {
            let arrival = self.plain.lock().pop_front()?;
            match arrival.aborted() {
                Some(code) => arrival.refuse(code),
                None => return Some(arrival),
            }
        }
    }

    fn refuse(&self, queued: impl IntoIterator<Item = Queued>, code: u64) {
        for mut queued in queued {
            self.sessions.remove(queued.send.id().into());
            wire::refuse(&mut queued.send, &mut queued.recv, code);
        }
    }
}

impl Queued {
    /// Says whether the client has reset its direction.
    fn is_given_up(&mut self) -> bool {
        let given_up = wait::at_once(pin!(given_up(&mut self.recv, &mut self.rest)));
        matches!(given_up, Some(quinn::ReadError::Reset(_)))
    }
}

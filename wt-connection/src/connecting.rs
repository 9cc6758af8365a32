use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::uri::Authority;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::connection::handshake::UnderWay;
use crate::connection::{Core, Driver, Handle, Owner, Resumption};
use crate::error::ConnectError;
use crate::moment::Moment;
use crate::proto::control::Side;
use crate::proto::draft;
use crate::proto::fault::ConnectionFault;
use crate::settings::Timing;
use crate::state::StateCell;
use crate::{Connection, ConnectionId, ConnectionInfo, ConnectionState, Limits};

/// A connection being made, the future of [`Connector`](crate::Connector) and of
/// [`Incoming`](crate::Incoming).
///
/// On a client it is done once the server's SETTINGS say that it speaks WebTransport. On a server
/// it is done once the client's SETTINGS are known, whatever they say: a client without
/// WebTransport has its HTTP/3 requests answered.
///
/// # Cancel safety
///
/// Dropped, it gives the connection up.
#[must_use = "futures do nothing unless polled"]
pub struct Connecting {
    attempt: Attempt,
    /// What it does is traced inside of this.
    span: Span,
    future: Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>,
}

impl Connecting {
    /// Makes a connection by `connect`, in at most `limit`.
    pub(crate) fn new<F>(limit: Duration, connect: impl FnOnce(Attempt) -> F) -> Self
    where
        F: Future<Output = Result<Connection, ConnectError>> + Send + 'static,
    {
        let id = ConnectionId::next();
        let attempt = Attempt {
            id,
            state: StateCell::idle(id),
            core: Arc::default(),
        };
        let connect = connect(attempt.clone());
        let timed = attempt.clone();
        let future = async move {
            timeout(limit, connect).await.unwrap_or_else(|_| {
                timed.count_timeout();
                Err(ConnectError::TimedOut)
            })
        };
        Self {
            attempt,
            span: Span::none(),
            future: Box::pin(future),
        }
    }

    /// Traces what it does inside of `span`.
    pub(crate) fn inside(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Names the connection within this process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.attempt.id
    }

    /// How far the connection is: idle until first polled.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.attempt.state.get()
    }

    /// Tells that the state has changed, as [`Connection::states`], also once it is the
    /// connection's.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<ConnectionState> {
        self.attempt.state.subscribe()
    }

    /// The figures of the connection, as they are now; its defaults as long as there is no QUIC
    /// connection.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        let Attempt { id, state, core } = &self.attempt;
        match core.get() {
            Some(core) => ConnectionInfo::of(core),
            None => ConnectionInfo::of_attempt(*id, state.progress(), Moment::now()),
        }
    }
}

impl Future for Connecting {
    type Output = Result<Connection, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let _inside = this.span.enter();
        this.attempt.state.advance(ConnectionState::Connecting);
        let connected = ready!(this.future.as_mut().poll(cx));
        if let Err(error) = &connected {
            tracing::debug!(connection = %this.id(), error = error as &dyn Error, "no connection");
            this.attempt.state.give_up();
        }
        Poll::Ready(connected)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let _inside = self.span.enter();
        // Given up, or else it is past this state.
        self.attempt.state.give_up();
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("id", &self.id())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// What a connection has from the moment that it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: ConnectionId,
    pub(crate) state: StateCell,
    /// Filled once there is a QUIC connection.
    core: Arc<OnceLock<Arc<Core>>>,
}

impl Attempt {
    /// Counts that the peer was too slow, unless the connection ends anyway: that is counted where
    /// it is a failure.
    fn count_timeout(&self) {
        if let Some(core) = self.core.get()
            && !core.error().is_some_and(|error| error.is_failure())
        {
            core.activity.count_error();
        }
    }
}

/// What a QUIC connection needs to become one of this crate's.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) owner: Owner,
    pub(crate) limits: Limits,
    pub(crate) local_address: Option<SocketAddr>,
    pub(crate) timing: Timing,
    pub(crate) authority: Authority,
    /// Requests that ask for no session are answered, too.
    pub(crate) serves_http: bool,
    pub(crate) early: Early,
}

/// What there is to a connection that is used before its handshake is done.
#[derive(Debug, Default)]
pub(crate) struct Early {
    /// `None` if it is done.
    pub(crate) handshake: Option<UnderWay>,
    /// Where a client keeps what the server announces.
    pub(crate) resumption: Option<Resumption>,
    /// A server processes requests for sessions before it is done.
    pub(crate) takes: bool,
}

impl Setup {
    /// Starts the driver, and waits for the peer's SETTINGS.
    pub(crate) async fn establish(
        self,
        quinn: quinn::Connection,
        attempt: Attempt,
    ) -> Result<Connection, ConnectError> {
        let Attempt { id, state, .. } = attempt.clone();
        let owner = self.owner.clone();
        let core = Core::new(quinn, state, id, self);
        // An attempt comes to one connection at most.
        let _ = attempt.core.set(Arc::clone(&core));
        let handle = Arc::new(Handle {
            core: Arc::clone(&core),
        });
        core.recall();
        let driver = Driver::new(Arc::clone(&core), owner.clone());
        owner.spawn(driver.run().instrument(core.span.clone()));
        tokio::select! {
            _ = core.peer.known() => {}
            error = core.ended() => return Err(error.into()),
        };
        if core.side == Side::Client && !core.peer.admits_sessions() {
            core.fail(NOT_OFFERED);
            return Err(ConnectError::NoWebTransport);
        }
        // Looked at again behind the step, which an end that began meanwhile could not prevent.
        let ends = || owner.is_closing() || core.is_closing() || core.error().is_some();
        if ends() || !core.state.connect() || ends() {
            return Err(core.ended().await.into());
        }
        Ok(Connection::new(handle))
    }
}

const NOT_OFFERED: ConnectionFault = ConnectionFault::new(
    draft::REQUIREMENTS_NOT_MET_15,
    "the server does not offer WebTransport",
);

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::uri::Authority;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::{Core, Driver, Handle, Owner};
use crate::error::{Close, ConnectError};
use crate::proto::control::Side;
use crate::proto::settings::Settings;
use crate::state::StateCell;
use crate::{Connection, ConnectionId, ConnectionState, Limits};

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
    id: ConnectionId,
    state: StateCell,
    future: Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send>>,
}

impl Connecting {
    /// Makes a connection by `connect`, in at most `limit`.
    pub(crate) fn new<F>(
        limit: Duration,
        connect: impl FnOnce(ConnectionId, StateCell) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Connection, ConnectError>> + Send + 'static,
    {
        let id = ConnectionId::next();
        let state = StateCell::idle();
        let connect = connect(id, state.clone());
        let future = async move {
            match timeout(limit, connect).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectError::TimedOut),
            }
        };
        Self {
            id,
            state,
            future: Box::pin(future),
        }
    }

    /// Names the connection within this process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// How far the connection is: idle until first polled.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.state.get()
    }

    /// Tells each change of the state, also once it is the connection's.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }
}

impl Future for Connecting {
    type Output = Result<Connection, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.advance(ConnectionState::Connecting);
        let connected = ready!(self.future.as_mut().poll(cx));
        if connected.is_err() {
            self.state.advance(ConnectionState::Failed);
        }
        Poll::Ready(connected)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        // Given up, or else it is past this state.
        self.state.give_up();
    }
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("id", &self.id)
            .field("state", &self.state.get())
            .finish_non_exhaustive()
    }
}

/// What a QUIC connection needs to become one of this crate's.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) owner: Owner,
    pub(crate) limits: Limits,
    pub(crate) authority: Authority,
    /// Requests that ask for no session are answered, too.
    pub(crate) serves_http: bool,
}

impl Setup {
    /// Starts the driver, and waits for the peer's SETTINGS.
    pub(crate) async fn establish(
        self,
        quinn: quinn::Connection,
        id: ConnectionId,
        state: StateCell,
    ) -> Result<Connection, ConnectError> {
        let (core, faults) = Core::new(
            quinn,
            state,
            id,
            self.limits,
            self.authority,
            self.serves_http,
        );
        let handle = Arc::new(Handle {
            core: Arc::clone(&core),
        });
        let driver = Driver::new(Arc::clone(&core), self.owner.clone(), faults);
        self.owner.spawn(driver.run());
        let peer = tokio::select! {
            peer = core.peer_known() => peer,
            error = core.ended() => return Err(error.into()),
        };
        if core.side == Side::Client && !admits_sessions(&core, &peer) {
            core.closing
                .ask(Close::new(0, "the server does not offer WebTransport"));
            return Err(ConnectError::NoWebTransport);
        }
        if !core.state.connect() {
            return Err(core.ended().await.into());
        }
        Ok(Connection::new(handle))
    }
}

fn admits_sessions(core: &Core, server: &Settings) -> bool {
    server.webtransport()
        && server.extended_connect()
        && server.datagrams()
        && core.quinn.max_datagram_size().is_some()
}

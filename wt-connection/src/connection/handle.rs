use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::PollSemaphore;
use tower_service::Service;

use crate::connecting::{Early, Setup};
use crate::connection::{Core, Handle, Owner, WeakConnection, opening};
use crate::error::{Close, ConnectionError, OpenError, PingError};
use crate::proto::capsule;
use crate::proto::generation::Generation;
use crate::settings::Timing;
use crate::{
    Connecting, ConnectionId, ConnectionInfo, ConnectionSettings, ConnectionState,
    ConnectionSummary, Diagnosis, EarlySession, Http, Limits, Session, SessionRequest, Target,
    Thresholds,
};
use crate::{ping, wire};

/// One HTTP/3 connection that carries many sessions: a cheap handle, whose clones are the same
/// connection.
///
/// On the client it is a tower [`Service`]: `http::Request<()>` in, `http::Response<Session>` out.
/// On the server, [`accept`](Self::accept) gives the sessions that are asked for.
///
/// ```no_run
/// use tower::Service;
/// use wt_connection::Connection;
///
/// # async fn example(mut connection: Connection) -> Result<(), Box<dyn std::error::Error>> {
/// let request = http::Request::get("/echo").header("authorization", "Bearer …").body(())?;
/// let response = connection.ready().await?.call(request).await?;
/// println!("{}: {:?}", response.status(), response.headers());
/// let session = response.into_body();
/// # Ok(())
/// # }
/// ```
///
/// # Readiness
///
/// `Pending` while as many sessions are open as the peer allows; `Err` once the connection is
/// draining or over. Being ready reserves one session, which `call` spends and drop gives back. A
/// handle that was told `Pending` stands in a queue, first come, first served: poll on, or drop it.
///
/// A connection on which 4,096 requests or responses were given up half-way drains: QUIC's
/// implementation keeps a few words for each as long as the connection lives.
///
/// # Clone
///
/// A clone has nothing reserved. The connection closes, with `H3_NO_ERROR`, when the last handle of
/// it, of its sessions and of their streams is dropped, once what they sent has arrived.
pub struct Connection {
    pub(super) handle: Arc<Handle>,
    pub(super) room: PollSemaphore,
    pub(super) reserved: Option<OwnedSemaphorePermit>,
}

impl Connection {
    pub(crate) fn new(handle: Arc<Handle>) -> Self {
        let room = PollSemaphore::new(Arc::clone(&handle.core.room));
        Self {
            handle,
            room,
            reserved: None,
        }
    }

    /// Speaks WebTransport over a QUIC connection of yours, on either side of it.
    ///
    /// Its ALPN should be `h3`. From here on its streams and datagrams are this crate's. It counts
    /// as one whose handshake is done: with one of [`quinn::Connecting::into_0rtt`]'s, sessions are
    /// opened, and accepted, in early data, which somebody may replay.
    pub fn from_quinn(quinn: quinn::Connection, limits: Limits) -> Connecting {
        let authority = Target::from(wire::canonical(quinn.remote_address()))
            .authority()
            .clone();
        let setup = Setup {
            owner: Owner::default(),
            limits,
            local_address: None,
            timing: Timing::default(),
            authority,
            serves_http: false,
            early: Early::default(),
        };
        Connecting::new(limits.header_timeout, |attempt| {
            setup.establish(quinn, attempt)
        })
    }

    /// Waits until there is room for one more session, which it reserves: as `poll_ready`, and as
    /// tower's `ServiceExt::ready`, without an import.
    ///
    /// # Errors
    ///
    /// Fails once the connection is draining or over, and on a server.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: this handle keeps its place in the queue. Wait on, or drop it.
    pub async fn ready(&mut self) -> Result<&mut Self, OpenError> {
        std::future::poll_fn(|cx| self.poll_ready(cx)).await?;
        Ok(self)
    }

    /// Opens a session, once there is room for it: `"/path"` on this authority, or a whole URI.
    ///
    /// # Errors
    ///
    /// Fails as the service does; an answer outside 2xx is [`OpenError::Rejected`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a session not yet returned is given up.
    pub async fn open<U>(&self, uri: U) -> Result<Session, OpenError>
    where
        U: TryInto<Uri>,
        http::Error: From<U::Error>,
    {
        let request = http::Request::builder()
            .uri(uri)
            .body(())
            .map_err(|error| OpenError::InvalidRequest(error.into()))?;
        let mut connection = self.clone();
        let opening = connection.ready().await?.call(request);
        Ok(opening.await?.into_body())
    }

    /// Opens a session, once there is room for it, that may be used before the server has accepted
    /// it: on a live connection, its first bytes are with the server half a round trip later.
    ///
    /// # Errors
    ///
    /// Fails if the request cannot be sent; what becomes of it is told by
    /// [`EarlySession::accepted`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a session not yet returned is given up.
    pub async fn open_early(&self, request: http::Request<()>) -> Result<EarlySession, OpenError> {
        let mut connection = self.clone();
        connection.ready().await?;
        let reserved = connection.take_reserved();
        opening::open_early(Arc::clone(&connection.handle), request, reserved).await
    }

    /// A tower service for plain HTTP/3 requests on this connection, beside its sessions.
    ///
    /// ```no_run
    /// use http_body_util::BodyExt;
    ///
    /// # async fn example(
    /// #     connection: wt_connection::Connection,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = http::Request::post("/score").body("17 points".to_owned())?;
    /// let response = connection.http().request(request).await?;
    /// println!("{}: {:?}", response.status(), response.into_body().collect().await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn http(&self) -> Http {
        Http::new(Arc::clone(&self.handle))
    }

    /// Waits for the next session that the peer asks for; on a client none ever is.
    ///
    /// # Errors
    ///
    /// Fails once the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a request not yet returned stays queued for the next call.
    pub async fn accept(&self) -> Result<SessionRequest, ConnectionError> {
        let queued = self.core().next_connect().await?;
        Ok(SessionRequest::new(queued, Arc::clone(&self.handle)))
    }

    /// Closes the connection: each session is closed by its capsule with `code` and `reason`, then
    /// QUIC with `H3_NO_ERROR`.
    ///
    /// It begins at once, whether or not the future is awaited; the future ends when the connection
    /// is over, which takes a round trip, and at most twice
    /// [`Limits::flush_timeout`](crate::Limits::flush_timeout). A connection that is closing
    /// already keeps its code; everybody who calls may wait.
    pub fn close(&self, code: u32, reason: &str) -> impl Future<Output = ()> + Send + 'static {
        let core = Arc::clone(self.core());
        core.closing
            .ask(Close::new(code, capsule::truncate_reason(reason)));
        async move {
            core.ended().await;
        }
    }

    /// Begins nothing new on the connection, and asks the peer for the same: it is told by a
    /// GOAWAY, and each session by a DRAIN capsule. What is open goes on.
    ///
    /// On a client, the connection is no longer ready. On a server, sessions and requests that were
    /// on their way when the client was told are still taken, those behind them refused unprocessed
    /// ([RFC 9114 §5.2](https://www.rfc-editor.org/rfc/rfc9114#section-5.2)).
    ///
    /// A connection on which this side has reset 4,096 streams that somebody waited for drains by
    /// itself: those of requests, answers, sessions and pings that were given up half-way, of which
    /// QUIC keeps a few words each until the connection's end.
    pub fn drain(&self) {
        self.core().drain();
    }

    /// Waits until the connection is over, and says why.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call tells the same.
    pub async fn closed(&self) -> ConnectionError {
        self.core().ended().await
    }

    /// How many sessions may be open at once in all: the peer's limit on a client, this side's on a
    /// server.
    #[must_use]
    pub fn max_sessions(&self) -> usize {
        self.core().max_sessions()
    }

    /// Which drafts of WebTransport the connection goes by: the newest that both sides announce.
    ///
    /// On a server, a client that announces none counts as one of [`Generation::Draft07`].
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.core().peer.generation()
    }

    /// Names the connection within this process.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.core().id
    }

    /// How far the connection is.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.core().state.get()
    }

    /// Tells that the state has changed; the receiver holds the newest.
    ///
    /// Changes that follow one another faster than it is looked at are one: such a receiver goes
    /// from [`Connecting`](ConnectionState::Connecting) to [`Draining`](ConnectionState::Draining),
    /// for instance, though the connection was connected in between.
    /// [`ConnectionInfo::established_at`] tells whether it was.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<ConnectionState> {
        self.core().state.subscribe()
    }

    /// The open sessions, the one that was asked for first ahead.
    ///
    /// They are handles like any other: a session lives as long as one of them is kept. One whose
    /// last handle is gone is not here, though it may still be delivering what was sent.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        let mut open = self.core().sessions.all();
        open.sort_unstable_by_key(|session| session.id());
        let handles = open.iter().filter_map(|session| session.handle());
        handles.map(Session::new).collect()
    }

    /// The first of the open [`sessions`](Self::sessions), if there is any.
    #[must_use]
    pub fn first_session(&self) -> Option<Session> {
        self.sessions().into_iter().next()
    }

    /// Counts as a use of the connection by the application, which puts the end of an idle
    /// connection off; for what this crate does not see as one.
    pub fn record_activity(&self) {
        self.core().activity.record();
    }

    /// The figures of the connection, as they are now.
    ///
    /// ```no_run
    /// # fn example(connection: wt_connection::Connection) {
    /// let info = connection.info();
    /// println!("{}: {} after {:?}", info.id, info.state, info.uptime());
    /// println!("{} bytes sent, round trip {:?}", info.bytes_sent, info.rtt);
    /// # }
    /// ```
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        ConnectionInfo::of(self.core())
    }

    /// What a monitor wants to see of the connection, as it is now.
    #[must_use]
    pub fn summary(&self) -> ConnectionSummary {
        ConnectionSummary::new(&self.info(), self.core().sessions.all().len())
    }

    /// Asks the peer for an answer, and measures how long it takes.
    ///
    /// Every peer that speaks HTTP/3 answers. The figure is one sample, not smoothed as
    /// [`ConnectionInfo::rtt`] is: the way there and back, and what both sides' machines take to
    /// look at a packet. It contains the wait for congestion control to let the packet out, and,
    /// where packets are lost, the time until they are sent again; not the wait for a stream, which
    /// counts for `timeout` alone.
    ///
    /// It takes one unidirectional stream of those that the peer allows, until the peer has
    /// answered, and a few small packets. Some peers allow others in its place only while their
    /// application accepts streams: until then each ping uses one up, and in the end it fails with
    /// [`PingError::NoStream`]. It is no activity ([`last_activity`](Self::last_activity)) on either
    /// side.
    ///
    /// # Errors
    ///
    /// Fails with [`PingError::TimedOut`] without an answer after `timeout`, with
    /// [`PingError::NoStream`] if no stream was free by then, and once the connection is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a ping that is given up resets its stream. QUIC's implementation may keep a few
    /// words for it until the connection is over.
    pub async fn ping(&self, timeout: Duration) -> Result<Duration, PingError> {
        ping::ping(self.core(), timeout).await
    }

    /// What the connection was made with, and what both sides announced.
    #[must_use]
    pub fn settings(&self) -> ConnectionSettings {
        ConnectionSettings::of(self.core())
    }

    /// Looks for what is wrong with the connection; one that is connected is pinged for it.
    ///
    /// ```no_run
    /// # async fn example(connection: wt_connection::Connection) {
    /// use wt_connection::Thresholds;
    ///
    /// for issue in connection.diagnose(Thresholds::default()).await.issues {
    ///     println!("{issue}; {}", issue.recommendation());
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`ping`](Self::ping).
    pub async fn diagnose(&self, thresholds: Thresholds) -> Diagnosis {
        // What is sent from here on, a ping and more, should be answered by its end.
        let _ = self.info();
        let ping = match self.state() {
            ConnectionState::Connected => Some(self.ping(thresholds.ping_timeout).await),
            _ => None,
        };
        let idle = self.last_activity().elapsed();
        Diagnosis::new(&self.info(), idle, ping, thresholds)
    }

    /// When the application last used the connection: a session, a stream, a datagram or a request
    /// of it, to a millisecond. A request that is under way uses it all the time, until the
    /// connection is over.
    ///
    /// What keeps the path alive, such as a PING, does not count. Of a connection that was never
    /// used, it is when QUIC's connection was made.
    #[must_use]
    pub fn last_activity(&self) -> Instant {
        self.core().activity.last()
    }

    /// How many streams and datagrams were refused because they came for a session that was not
    /// yet known, and too many waited already.
    #[must_use]
    pub fn refused_early(&self) -> u64 {
        self.core().sessions.refused()
    }

    /// How many requests of the peer's, for sessions or not, were refused because they were over a
    /// limit: too many sessions, headers too large or too slow.
    #[must_use]
    pub fn refused_requests(&self) -> u64 {
        self.core().requests.refused()
    }

    /// The peer's address; it changes when the peer migrates.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.core().remote_address()
    }

    /// The QUIC connection below, for what this crate does not offer.
    ///
    /// Its streams and datagrams are this crate's: accepting any takes it from a session. Its
    /// congestion controller is wrapped, so that `congestion_state` gives none of its own type, and
    /// its window is opened to let the end of the connection through: what it was before is in
    /// [`info`](Self::info).
    #[must_use]
    pub fn quic(&self) -> &quinn::Connection {
        &self.core().quinn
    }

    pub(crate) fn handle(&self) -> Arc<Handle> {
        Arc::clone(&self.handle)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    pub(crate) fn downgrade(&self) -> WeakConnection {
        WeakConnection::new(&self.handle)
    }
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.handle))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id())
            .field("state", &self.state())
            .field("remote_address", &self.remote_address())
            .finish_non_exhaustive()
    }
}

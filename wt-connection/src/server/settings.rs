use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use http_body::Body as HttpBody;
use tower::MakeService;
use tower::make::Shared;
use tower_service::Service;

use crate::error::Close;
use crate::proto::capsule;
use crate::server::accepting::Accepting;
use crate::server::report::ShutdownReport;
use crate::{Body, Connection, Connections, Endpoint, Origins};

/// Serves a tower service of `http::Request<Body>` over an [`Endpoint`]: plain HTTP/3 requests and
/// WebTransport sessions on one port.
///
/// A request for a session is one with an [`Upgrade`](crate::Upgrade) in its extensions, and goes
/// through the same layers and routes as any other. An axum `Router` is served as it is:
///
/// ```
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// # #[cfg(feature = "axum")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::Router;
/// use axum::routing::{any, get};
/// use wt_connection::{Endpoint, Identity, Server, WebTransportUpgrade};
///
/// let app = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .route("/echo", any(|upgrade: WebTransportUpgrade| async {
///         upgrade.on_session(|session| async move {
///             while let Ok(datagram) = session.read_datagram().await {
///                 let _ = session.send_datagram(datagram);
///             }
///         })
///     }));
/// let endpoint = Endpoint::server("127.0.0.1:0".parse()?, Identity::self_signed(["localhost"])?)?;
/// let server = Server::new(endpoint).shutdown_on(async {
///     // `tokio::signal::ctrl_c()`, for instance.
/// });
///
/// let report = server.serve(app).await;
/// assert!(report.cut.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Limits
///
/// What one client may occupy are the [`Limits`](crate::Limits) of the endpoint. How many clients
/// there may be, and that a connection without application activity is closed after 60 s, though
/// it has open sessions, are settings of [`Connections`]:
///
/// ```no_run
/// # fn example(endpoint: wt_connection::Endpoint) {
/// use wt_connection::{Connections, Server};
///
/// let connections = Connections::new().max_connections(10_000).idle_timeout(None);
/// let server = Server::new(endpoint).connections(connections.clone());
/// # }
/// ```
///
/// # Requests
///
/// In a request's extensions are its [`Connection`] and its [`Peer`](crate::Peer); with the feature
/// `axum`, `ConnectInfo<SocketAddr>`, too. Each request waits until the service is ready, and is
/// handled in a task of its own; its response is given a `date` and, where it is known, a
/// `content-length`. A handler that panics or fails resets its own request with
/// `H3_INTERNAL_ERROR`; one whose client gives up is dropped.
///
/// # Shutdown
///
/// Once [`shutdown_on`](Self::shutdown_on) says so:
///
/// - Nobody else is let in. Handshakes that are under way may end within a second, because their
///   clients may have begun to ask.
/// - Every client is told to finish: by GOAWAY, and by DRAIN for each session.
/// - Whoever is not done after [`shutdown_timeout`](Self::shutdown_timeout) is cut off. A client
///   that does not answer then costs up to twice
///   [`Limits::flush_timeout`](crate::Limits::flush_timeout) more.
///
/// The endpoint stays open: awaiting [`Endpoint::close`] lets go of its socket.
#[must_use = "a server serves only once `serve` is awaited"]
pub struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) connections: Connections,
    pub(super) origins: Origins,
    pub(super) max_unvalidated: usize,
    pub(super) signal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub(super) shutdown_timeout: Duration,
    pub(super) shutdown_close: Close,
}

impl Server {
    /// Serves on `endpoint`, which must have been given an identity.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connections: Connections::default(),
            origins: Origins::default(),
            max_unvalidated: 256,
            signal: None,
            shutdown_timeout: Duration::from_secs(30),
            shutdown_close: Close::new(0, "the server shuts down"),
        }
    }

    /// Sets where the connections are kept, and so how many there may be, and how long they may be
    /// idle; by default 3,000, and 60 s.
    ///
    /// A client over the limit is refused, and counted there.
    pub fn connections(mut self, connections: Connections) -> Self {
        self.connections = connections;
        self
    }

    /// Sets which pages may open sessions; by default those of the authority that they ask, and
    /// whoever is no page. Others are answered with 403.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Sets how many handshakes may be under way before a client has to prove that it is at its
    /// address (QUIC Retry), which costs it a round trip; 256 by default.
    pub fn validate_addresses_above(mut self, handshakes: usize) -> Self {
        self.max_unvalidated = handshakes;
        self
    }

    /// Sets what makes the server shut down; without it, only the endpoint's end does.
    pub fn shutdown_on(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// Sets how long clients have to finish when the server shuts down; 30 s by default.
    pub fn shutdown_timeout(mut self, shutdown_timeout: Duration) -> Self {
        self.shutdown_timeout = shutdown_timeout;
        self
    }

    /// Sets what sessions are closed with that are open at the end of the
    /// [`shutdown_timeout`](Self::shutdown_timeout); 0 and "the server shuts down" by default.
    ///
    /// Of the reason, at most 1,024 bytes are sent.
    pub fn shutdown_code(mut self, code: u32, reason: &str) -> Self {
        self.shutdown_close = Close::new(code, capsule::truncate_reason(reason));
        self
    }

    /// Serves every connection with a clone of `service`, until it has shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it accepts nobody any more, and drops the requests that are being handled; sessions
    /// go on as long as they have handles.
    pub async fn serve<S, B>(self, service: S) -> ShutdownReport
    where
        S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
        S::Future: Send + 'static,
        B: HttpBody<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.serve_make(Shared::new(service)).await
    }

    /// Serves each connection with a service that `make` makes for it, until it has shut down.
    ///
    /// `make` is any tower service of [`Connection`], such as axum's
    /// `Router::into_make_service_with_connect_info`. While it is not ready, nobody else is let in;
    /// once it fails to be, the server shuts down.
    ///
    /// # Cancel safety
    ///
    /// As [`serve`](Self::serve).
    pub async fn serve_make<M, B>(self, make: M) -> ShutdownReport
    where
        M: MakeService<Connection, http::Request<Body>, Response = http::Response<B>>,
        M::MakeError: Into<Box<dyn Error + Send + Sync>> + 'static,
        M::Future: Send + 'static,
        M::Error: Into<Box<dyn Error + Send + Sync>> + 'static,
        M::Service: Send + 'static,
        <M::Service as Service<http::Request<Body>>>::Future: Send + 'static,
        B: HttpBody<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Accepting::new(self).run(make).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", &self.endpoint)
            .field("connections", &self.connections)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

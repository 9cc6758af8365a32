//! A WebTransport connection as a tower service, client and server.
//!
//! For servers and clients that carry many sessions over one HTTP/3 connection, beside plain
//! requests; for axum and other tower services that are to serve both on one port; and for stacks
//! of tower layers over the opening of sessions. Not for raw QUIC, for which there is quinn, nor
//! for HTTP/3 to servers without WebTransport.
//!
//! ```text
//!                       Endpoint                 one UDP socket with TLS
//!         client       │        │       server
//!             Connector          Server ──────►  a tower service of http::Request<Body>:
//!                      │        │  Incoming      an axum Router, for one
//!                      ▼        ▼
//!                      Connection                HTTP/3: SETTINGS, many sessions and requests
//!    Service::call, open │        │ Upgrade; or accept, SessionRequest
//!    http                ▼        ▼
//!                       Session                  one CONNECT: close with code and reason
//!                      │   │    │
//!                      ▼   ▼    ▼
//!              BiStream   SendStream   datagrams
//!                         RecvStream
//! ```
//!
//! ```
//! use tower::ServiceExt;
//! use wt_connection::{Connector, Endpoint, Identity, Trust};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let identity = Identity::self_signed(["localhost"])?;
//! let trust = Trust::hashes([identity.certificate_hash()]);
//! let server = Endpoint::server("127.0.0.1:0".parse()?, identity)?;
//! let target = server.local_address()?.into();
//! tokio::spawn(async move {
//!     let connection = server.accept().await.ok_or("closed")?.await?;
//!     let session = connection.accept().await?.accept().await?;
//!     session.send_datagram("hello")?;
//!     session.closed().await;
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let connection = Connector::new(Endpoint::client(trust)?).oneshot(target).await?;
//! let session = connection.open("/greetings").await?;
//! assert_eq!(session.read_datagram().await?, "hello");
//! session.close(42, "that is all");
//! session.closed().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Semantics
//!
//! **Readiness.** A [`Connector`] is always ready. A [`Connection`] is `Pending` while as many
//! sessions are open as the server allows, and `Err` once it is draining or over. Being ready
//! reserves one session; `call` spends it, and the session's end gives it back.
//!
//! [`Http`], which sends plain requests on the same connection, is never `Pending`. A [`Server`]
//! calls its service only when that is ready, request by request; those behind wait.
//!
//! **Cancellation.** A future that is dropped gives up what it has not returned: [`Connecting`] the
//! connection, [`Opening`] the session and [`Requesting`] the request, of which the server is told;
//! [`Upgrading`] the session that it took. A request that its client gives up drops the service's
//! future. What waits for the peer is cancel safe, and says so; [`SendStream::write_all`],
//! [`SendStream::write_chunk`] and [`RecvStream::read_to_end`] are not.
//!
//! **Clone.** Clones of an [`Endpoint`], a [`Connection`] and a [`Session`] are handles on the same
//! one; that of a `Connection` has nothing reserved. Clones of a [`Connector`] share the endpoint,
//! and have settings of their own; those of [`Connections`] share everything.
//!
//! **Drop.** A stream that is dropped is finished and stopped. The last handle of a session closes
//! it with code 0, once its live streams are dropped and delivered. The last handle of a
//! connection, its sessions and their streams closes QUIC with `H3_NO_ERROR`. A process that ends
//! awaits [`Endpoint::close`] first, or its peers hear nothing of all that.
//!
//! **Figures.** [`Connection::info`] is a copy of what is known, readable also once the connection
//! is over; [`Connection::summary`] is its short form. [`Connection::ping`] asks the peer, and
//! [`Connection::diagnose`] judges both by [`Thresholds`]. [`Connection::states`] tells that the
//! state has changed. With the feature `serde`, figures are serialised.
//!
//! **Tracing.** Each attempt to connect, connection and session is a span of `tracing`, at the
//! level `DEBUG`; the tasks of this crate and the handlers of a [`Server`] run inside them, those
//! of a session inside the session's. Events tell changes of the state, refusals and closes.
//! Headers and queries are in none.
//!
//! # Design
//!
//! h3 sees ordinary requests only. Its public API knows no session, and its own view of the
//! connection would end it at the first stream of one; so every stream is told apart by its first
//! bytes, and what belongs to a session never comes to h3. The control streams are this crate's for
//! the same reason: SETTINGS announce WebTransport, GOAWAY counts sessions, and h3 cannot end the
//! connection. What RFC 9114 calls a connection error still does where it is read, but for the
//! response to a plain request: it costs that request and, if h3 wants no more of the server, all
//! that would begin behind it; the sessions, which it says nothing of, live on. h3 has no task: it
//! is asked once for each request, and is shown no frame that it would have to hold without a
//! bound.
//!
//! One driver task for each connection places streams and datagrams, and one for each session reads
//! its CONNECT stream. A stream whose header is slow to come waits beside them and holds up nobody.
//! Once placed, streams are quinn's own: bytes pass through no task or queue of this crate.
//!
//! Whatever a peer can fill or delay has a limit ([`Limits`]). Over it, the one stream, datagram or
//! session is shed, and the rest of the connection goes on.
//!
//! # Beside it
//!
//! The first of five crates that stand on tower, and know nothing of each other. What makes few
//! connections serve many is [`wt-pool`](https://docs.rs/wt-pool), the next; then come
//! [`wt-balance`](https://docs.rs/wt-balance), over several servers,
//! [`wt-health`](https://docs.rs/wt-health), which knows those that fail, and
//! [`wt-retry`](https://docs.rs/wt-retry), for what failed nevertheless. A [`Connector`] is a maker
//! to the pool, a [`Connection`] what is lent, and [`CompleteOnClose`] keeps what a layer holds for
//! a session until that is closed.
mod activity;
mod congestion;
mod connecting;
mod connection;
mod connections;
mod connector;
mod content_stream;
mod date;
mod diagnosis;
mod early_data;
mod endpoint;
mod endpoint_builder;
mod error;
mod gate;
mod given_up;
mod guards;
mod head;
mod http;
mod http3;
mod id;
mod incoming;
mod info;
mod limits;
mod lock;
mod moment;
mod origin;
mod origins;
mod ping;
#[cfg(fuzzing)]
pub mod proto;
#[cfg(not(fuzzing))]
mod proto;
mod protocols;
#[cfg(feature = "qlog")]
mod qlog;
mod race;
mod reply;
mod request;
mod reset_key;
mod resolve;
#[cfg(feature = "serde")]
mod serial;
mod server;
mod session;
mod sessions;
mod settings;
mod state;
mod stream;
mod summary;
mod target;
mod thresholds;
mod tls;
mod trace;
mod transport;
mod unanswered;
mod upgrade;
mod wait;
mod wire;

pub use connecting::Connecting;
pub use connection::{Connection, Opening};
pub use connections::{Connections, ConnectionsStats};
pub use connector::{Connector, connect};
pub use diagnosis::{Diagnosis, Issue};
pub use early_data::EarlyData;
pub use endpoint::Endpoint;
pub use endpoint_builder::EndpointBuilder;
pub use error::{
    AddError, BodyError, Close, ConnectError, ConnectionError, EndpointError, OpenError, PingError,
    ReadError, ReadToEndError, RequestError, SendDatagramError, SessionError, WriteError,
};
pub use http::{Http, Requesting};
pub use http3::Body;
pub use id::{ConnectionId, SessionId};
pub use incoming::Incoming;
pub use info::ConnectionInfo;
pub use limits::Limits;
pub use origins::Origins;
pub use proto::generation::Generation;
pub use protocols::Protocols;
pub use request::SessionRequest;
pub use server::{Cut, Peer, Server, ShutdownReport};
pub use session::{CompleteOnClose, EarlySession, KeyingMaterialError, Session};
pub use settings::{ConnectionSettings, Http3Settings};
pub use state::ConnectionState;
pub use stream::{BiStream, RecvStream, SendStream};
pub use summary::ConnectionSummary;
pub use target::{InvalidTarget, Target};
pub use thresholds::Thresholds;
pub use tls::{
    CertificateHash, CertificateHashError, DangerousNoVerification, Identity, ReloadableIdentity,
    ServerIdentity, TlsError, Trust,
};
pub use transport::Transport;
#[cfg(feature = "axum")]
pub use upgrade::{NotWebTransport, WebTransportUpgrade};
pub use upgrade::{Upgrade, UpgradeError, Upgrading};

/// The README's example is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

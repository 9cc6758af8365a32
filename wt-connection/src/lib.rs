//! A WebTransport connection as a tower service, client and server.
mod activity;
mod connecting;
mod connection;
mod connector;
mod endpoint;
mod endpoint_builder;
mod error;
mod http3;
mod id;
mod incoming;
mod limits;
mod lock;
#[cfg(fuzzing)]
pub mod proto;
#[cfg(not(fuzzing))]
mod proto;
#[cfg(feature = "qlog")]
mod qlog;
mod race;
mod reply;
mod request;
mod reset_key;
mod resolve;
mod session;
mod sessions;
mod state;
mod stream;
mod target;
mod tls;
mod transport;
mod wait;
mod wire;

pub use connecting::Connecting;
pub use connection::{Connection, Opening};
pub use connector::{Connector, connect};
pub use endpoint::Endpoint;
pub use endpoint_builder::EndpointBuilder;
pub use error::{
    Close, ConnectError, ConnectionError, EndpointError, OpenError, ReadError, ReadToEndError,
    SendDatagramError, SessionError, WriteError,
};
pub use id::{ConnectionId, SessionId};
pub use incoming::Incoming;
pub use limits::Limits;
pub use request::SessionRequest;
pub use session::{CompleteOnClose, Session};
pub use state::ConnectionState;
pub use stream::{BiStream, RecvStream, SendStream};
pub use target::{InvalidTarget, Target};
pub use tls::{
    CertificateHash, CertificateHashError, DangerousNoVerification, Identity, ReloadableIdentity,
    ServerIdentity, TlsError, Trust,
};
pub use transport::Transport;

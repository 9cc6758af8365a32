//! This side: endpoints on loopback, and a limit to every wait.

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;
use wt_connection::{
    CertificateHash, Connection, Connector, Endpoint, Identity, Limits, OpenError, Session,
    SessionRequest, Target, Trust,
};

pub(crate) const LOOPBACK: &str = "[::1]:0";
pub(crate) const NAMES: [&str; 2] = ["localhost", "::1"];

/// The statuses that every peer can reject with.
pub(crate) const REJECTIONS: [StatusCode; 3] = [
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::TOO_MANY_REQUESTS,
];

pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) hash: CertificateHash,
}

impl Server {
    pub(crate) fn bind() -> Self {
        Self::limited(Limits::default())
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        let identity = Identity::self_signed(NAMES).unwrap();
        let hash = identity.certificate_hash();
        let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
        let endpoint = builder.identity(identity).limits(limits).bind().unwrap();
        Self { endpoint, hash }
    }

    pub(crate) fn target(&self) -> Target {
        Target::from(self.endpoint.local_address().unwrap())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.target())
    }

    /// Waits for a connection, and for the first session asked for on it.
    pub(crate) async fn request(&self) -> SessionRequest {
        let connection = self.endpoint.accept().await.unwrap().await.unwrap();
        connection.accept().await.unwrap()
    }

    pub(crate) async fn session(&self) -> Session {
        self.request().await.accept().await.unwrap()
    }
}

/// A connector that believes a server with this certificate alone.
pub(crate) fn connector(hash: CertificateHash) -> Connector {
    let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    Connector::new(builder.trust(Trust::hashes([hash])).bind().unwrap())
}

pub(crate) fn rejected_with(opened: Result<Session, OpenError>) -> StatusCode {
    match opened {
        Err(OpenError::Rejected(response)) => response.status(),
        other => panic!("not rejected: {other:?}"),
    }
}

/// Has the other end answer, more often than it allows streams at first.
pub(crate) async fn answers_pings(connection: &Connection) {
    for _ in 0..PINGS {
        connection.ping(PATIENCE).await.unwrap();
    }
}

/// Runs a test that would rather fail than hang.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    timeout(LIMIT, test).await.expect("the test ends in time")
}

/// What travels as QUIC's code for a stream reset or stopped with `code`: draft 16, section 4.4.
pub(crate) fn on_the_wire(code: u32) -> u64 {
    let code = u64::from(code);
    0x52e4_a40f_a8db + code + code / 0x1e
}

const PINGS: usize = 300;
/// How long one answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// A busy machine may need some of it to start the other side.
const LIMIT: Duration = Duration::from_secs(60);

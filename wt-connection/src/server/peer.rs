use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::wire;

/// Who sent a request, in the extensions of that `http::Request`.
///
/// ```
/// use http::Request;
/// use wt_connection::{Body, Peer};
///
/// fn log(request: &Request<Body>) {
///     if let Some(peer) = request.extensions().get::<Peer>() {
///         println!("{} asks for {}", peer.address(), request.uri());
///     }
/// }
/// ```
///
/// Clones share the certificates.
#[derive(Clone)]
pub struct Peer {
    address: SocketAddr,
    certificates: Option<Arc<[CertificateDer<'static>]>>,
}

impl Peer {
    pub(crate) fn new(quinn: &quinn::Connection) -> Self {
        let identity = quinn.peer_identity();
        let chain = identity.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
        Self {
            address: wire::canonical(quinn.remote_address()),
            certificates: chain.map(|chain| (*chain).into()),
        }
    }

    /// The address, as it was when the connection was made.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificates that the client was verified by, its own first; none where the server's
    /// identity does not ask for any.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.certificates.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("address", &self.address)
            .field("certificates", &self.certificates().len())
            .finish()
    }
}

use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::Identity;

/// An [`Identity`] that can be replaced while it is in use.
///
/// Clones are handles on the same one. Handshakes that begin after
/// [`replace`](ReloadableIdentity::replace) use the new identity, but for those of a client that
/// resumes an earlier TLS session, which show no certificate at all; live connections stay as they
/// are. Nothing watches files: whoever renews the certificate says so.
///
/// ```no_run
/// use wt_connection::{Identity, ReloadableIdentity};
///
/// let identity = ReloadableIdentity::new(Identity::pem_files("chain.pem", "key.pem")?);
/// // … hand a clone to the server, and once the files were renewed:
/// identity.replace(Identity::pem_files("chain.pem", "key.pem")?);
/// # Ok::<(), wt_connection::TlsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReloadableIdentity {
    current: Arc<RwLock<Identity>>,
}

impl ReloadableIdentity {
    /// Starts with an identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            current: Arc::new(RwLock::new(identity)),
        }
    }

    /// Uses another identity from now on.
    pub fn replace(&self, identity: Identity) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// Returns the identity that the next handshake will use.
    #[must_use]
    pub fn current(&self) -> Identity {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for ReloadableIdentity {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified_key())
    }
}

impl ResolvesClientCert for ReloadableIdentity {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified_key())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl From<Identity> for ReloadableIdentity {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}

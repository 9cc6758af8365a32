//! Trust and identity.

mod error;
mod hash;
mod identity;
mod leaf;
mod pem;
mod provider;
mod reload;
#[cfg(feature = "self-signed")]
mod self_signed;
mod server;
mod trust;
mod verifier;

#[cfg(test)]
mod handshakes;

pub use error::TlsError;
pub use hash::{CertificateHash, CertificateHashError};
pub use identity::Identity;
pub(crate) use provider::hmac_sha256;
pub use reload::ReloadableIdentity;
pub use server::ServerIdentity;
pub use trust::{DangerousNoVerification, Trust};

/// The only application protocol we offer and accept.
const ALPN: &[u8] = b"h3";

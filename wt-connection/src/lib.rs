//! A WebTransport connection as a tower service, client and server.
#[cfg(fuzzing)]
pub mod proto;
#[cfg(not(fuzzing))]
mod proto;
mod tls;

pub use tls::{
    CertificateHash, CertificateHashError, DangerousNoVerification, Identity, ReloadableIdentity,
    ServerIdentity, TlsError, Trust,
};

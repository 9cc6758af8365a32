use std::error::Error;
use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

/// Why a trust or an identity could not be made, or cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("could not read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The text is not well-formed PEM.
    #[error("malformed PEM")]
    MalformedPem(#[source] pem::Error),
    /// There is no certificate where at least one was expected.
    #[error("no certificate found")]
    NoCertificate,
    /// There is no private key in the PEM text.
    #[error("no private key found")]
    NoPrivateKey,
    /// A certificate is malformed or unfit.
    #[error("invalid certificate")]
    InvalidCertificate(#[source] rustls::Error),
    /// The private key is malformed, or of a kind that the TLS provider does not know.
    #[error("invalid private key")]
    InvalidPrivateKey(#[source] rustls::Error),
    /// The private key belongs to another certificate.
    #[error("private key does not belong to the certificate")]
    KeyMismatch,
    /// The system has no root certificates; the source says why, if the system did.
    #[error("no system root certificates")]
    NoSystemRoots(#[source] Option<Box<dyn Error + Send + Sync>>),
    /// No certificate could be generated: a name is not ASCII, or there was no randomness.
    #[cfg(feature = "self-signed")]
    #[error("certificate cannot be generated")]
    SelfSigned(#[source] Box<dyn Error + Send + Sync>),
    /// A given rustls configuration cannot carry QUIC.
    #[error("TLS configuration cannot carry QUIC")]
    NotForQuic(#[source] Box<dyn Error + Send + Sync>),
    /// rustls refused the configuration.
    #[error("TLS configuration refused")]
    Rustls(#[source] rustls::Error),
}

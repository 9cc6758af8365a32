use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use crate::tls::leaf::Leaf;
use crate::tls::{CertificateHash, provider};

/// Judges a server by its own certificate alone, without a chain or a name.
///
/// That the server holds the certificate's key is always verified.
#[derive(Debug)]
pub(super) struct LeafVerifier {
    accepts: Accepts,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Accepts {
    Hashes(Arc<BTreeSet<CertificateHash>>),
    Anything,
}

/// Why a certificate with a known hash, or without one, is not believed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("certificate hash is not pinned")]
    NotPinned,
    #[error("certificate key is not ECDSA P-256")]
    NotP256,
    #[error("certificate is valid for more than 14 days")]
    TooLong,
    #[error("certificate is not valid now")]
    NotNow,
}

impl LeafVerifier {
    /// Accepts what [the W3C's rules] accept.
    ///
    /// [the W3C's rules]: https://www.w3.org/TR/webtransport/#certificate-hashes
    pub(super) fn pinned(hashes: Arc<BTreeSet<CertificateHash>>) -> Self {
        Self::new(Accepts::Hashes(hashes))
    }

    pub(super) fn anything() -> Self {
        Self::new(Accepts::Anything)
    }

    fn new(accepts: Accepts) -> Self {
        let algorithms = provider::provider().signature_verification_algorithms;
        Self {
            accepts,
            algorithms,
        }
    }
}

impl ServerCertVerifier for LeafVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Accepts::Hashes(hashes) = &self.accepts {
            if !hashes.contains(&CertificateHash::of(end_entity)) {
                return Err(Refusal::NotPinned.into());
            }
            let leaf = Leaf::parse(end_entity).map_err(|_| CertificateError::BadEncoding)?;
            judge(&leaf, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    // All of them, also where only one can succeed: so a wrong kind of key is refused by name
    // instead of by a handshake without a common signature scheme.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

// rustls prints this error by `Debug`.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

fn judge(leaf: &Leaf, now: UnixTime) -> Result<(), Refusal> {
    if !leaf.key_is_p256() {
        return Err(Refusal::NotP256);
    }
    if leaf.lifetime() > MAX_LIFETIME {
        return Err(Refusal::TooLong);
    }
    if !leaf.is_valid_at(now) {
        return Err(Refusal::NotNow);
    }
    Ok(())
}

/// Two weeks, the most that a certificate trusted by hash may be valid.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

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

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
    use rustls::Error;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};

    use super::*;
    use crate::tls::handshakes::{
        DAY, HOUR, handshake, handshake_as, identity, now, server_builder, valid_from,
    };
    use crate::tls::{DangerousNoVerification, Identity, Trust};

    #[test]
    fn pinned_certificate_is_accepted_under_any_name() {
        let identity = identity();
        let other = CertificateHash::from_bytes([0; 32]);
        let trust = Trust::hashes([other, identity.certificate_hash()]);

        let seen = handshake_as(&trust, identity.clone(), "192.0.2.1").unwrap();

        assert_eq!(seen.server, identity.certificate_chain()[0]);
        assert_eq!(seen.alpn, b"h3");
        assert_eq!(seen.client, None);
    }

    #[test]
    fn unpinned_certificate_is_refused() {
        let trust = Trust::hashes([identity().certificate_hash()]);

        let error = handshake(&trust, identity()).err().unwrap();

        assert!(
            error.to_string().contains("certificate hash is not pinned"),
            "{error}"
        );
        assert!(handshake(&Trust::hashes([]), identity()).is_err());
    }

    #[test]
    fn pinned_key_of_another_kind_is_refused() {
        for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
            let error = refusal_of(valid_from(algorithm, now() - HOUR, DAY));

            assert!(
                error.contains("certificate key is not ECDSA P-256"),
                "{error}"
            );
        }
    }

    #[test]
    fn pinned_certificate_of_over_14_days_is_refused() {
        let error = refusal_of(valid_from(
            &PKCS_ECDSA_P256_SHA256,
            now() - HOUR,
            14 * DAY + Duration::from_secs(1),
        ));

        assert!(
            error.contains("certificate is valid for more than 14 days"),
            "{error}"
        );
    }

    #[test]
    fn pinned_certificate_out_of_its_period_is_refused() {
        let algorithm = &PKCS_ECDSA_P256_SHA256;
        let expired = valid_from(algorithm, now() - DAY, DAY - HOUR);
        let premature = valid_from(algorithm, now() + HOUR, DAY);

        for error in [refusal_of(expired), refusal_of(premature)] {
            assert!(error.contains("certificate is not valid now"), "{error}");
        }
    }

    /// A server that shows a certificate whose key it does not hold.
    #[test]
    fn signature_is_verified_even_without_a_chain() {
        let victim = identity();
        let impostor = KeyPair::generate().unwrap();
        let key = provider::provider()
            .key_provider
            .load_private_key(PrivateKeyDer::from(impostor))
            .unwrap();
        let stolen = CertifiedKey::new(victim.certificate_chain().to_vec(), key);
        let server = server_builder()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(stolen)));

        let pinned = Trust::hashes([victim.certificate_hash()]);
        for trust in [pinned, DangerousNoVerification.into()] {
            let error = handshake(&trust, server.clone()).err();

            let bad = Error::InvalidCertificate(CertificateError::BadSignature);
            assert_eq!(error, Some(bad));
        }
    }

    fn refusal_of(identity: Identity) -> String {
        let trust = Trust::hashes([identity.certificate_hash()]);
        handshake(&trust, identity).err().unwrap().to_string()
    }
}

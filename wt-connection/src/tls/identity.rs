use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use crate::tls::{CertificateHash, TlsError, pem, provider};

/// A certificate chain and its private key.
///
/// Cheap to clone: clones share both.
#[derive(Clone)]
pub struct Identity {
    certified_key: Arc<CertifiedKey>,
}

impl Identity {
    /// Takes a chain, the own certificate first, and its key.
    ///
    /// # Errors
    ///
    /// Fails if the chain is empty, the first certificate or the key is malformed, or they do not
    /// belong together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsError> {
        let own = chain.first().ok_or(TlsError::NoCertificate)?;
        ParsedCertificate::try_from(own).map_err(TlsError::InvalidCertificate)?;
        match CertifiedKey::from_der(chain, key, &provider::provider()) {
            Ok(certified_key) => Ok(Self {
                certified_key: Arc::new(certified_key),
            }),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch),
            Err(error) => Err(TlsError::InvalidPrivateKey(error)),
        }
    }

    /// Reads a chain and its key from PEM text.
    ///
    /// Both may be the same text. The key may be PKCS #8, PKCS #1 or SEC1.
    ///
    /// # Errors
    ///
    /// Fails as [`Identity::new`] does, and if either text is malformed or has no such item.
    pub fn pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::new(pem::certificates(chain)?, pem::private_key(key)?)
    }

    /// Reads a chain and its key from PEM files, blocking while it does.
    ///
    /// # Errors
    ///
    /// Fails as [`Identity::pem`] does, and if a file cannot be read.
    pub fn pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::pem(&pem::read(chain.as_ref())?, &pem::read(key.as_ref())?)
    }

    /// Generates a certificate that [can be trusted by its hash], for DNS names and IP addresses.
    ///
    /// It is valid from an hour ago, for clocks that are behind, and for 14 days in all: make a new
    /// one in time, and [replace](crate::ReloadableIdentity::replace) it.
    ///
    /// # Errors
    ///
    /// Fails if a name is not ASCII.
    ///
    /// [can be trusted by its hash]: Identity::certificate_hash
    #[cfg(feature = "self-signed")]
    pub fn self_signed(
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, TlsError> {
        crate::tls::self_signed::generate(names.into_iter().map(Into::into).collect())
    }

    /// Returns the certificates, the own one first.
    #[must_use]
    pub fn certificate_chain(&self) -> &[CertificateDer<'static>] {
        &self.certified_key.cert
    }

    /// Returns the hash of the own certificate, for [`Trust::hashes`](crate::Trust::hashes) or a
    /// browser.
    ///
    /// A browser takes its [bytes](CertificateHash::as_bytes), and only for a certificate with an
    /// ECDSA P-256 key that is valid for at most 14 days, as that of `Identity::self_signed` is:
    ///
    /// ```js
    /// new WebTransport(url, {
    ///   serverCertificateHashes: [{ algorithm: "sha-256", value: new Uint8Array(bytes) }],
    /// });
    /// ```
    #[must_use]
    pub fn certificate_hash(&self) -> CertificateHash {
        CertificateHash::of(&self.certified_key.cert[0])
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified_key)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate_hash", &self.certificate_hash())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;
    use crate::tls::Trust;

    fn generated() -> CertifiedKey<rcgen::KeyPair> {
        generate_simple_self_signed(["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn pem_text_is_read() {
        let CertifiedKey { cert, signing_key } = generated();
        let text = format!("{}\n{}", cert.pem(), signing_key.serialize_pem());

        let identity = Identity::pem(text.as_bytes(), text.as_bytes()).unwrap();

        assert_eq!(identity.certificate_chain(), [cert.der().clone()]);
        assert_eq!(identity.certificate_hash(), CertificateHash::of(cert.der()));
    }

    #[test]
    fn text_without_the_item_is_refused() {
        let CertifiedKey { cert, signing_key } = generated();
        let (cert, key) = (
            cert.pem().into_bytes(),
            signing_key.serialize_pem().into_bytes(),
        );
        let half = &cert[..cert.len() / 2];

        assert!(matches!(
            Identity::pem(&key, &key),
            Err(TlsError::NoCertificate)
        ));
        assert!(matches!(
            Identity::pem(&cert, &cert),
            Err(TlsError::NoPrivateKey)
        ));
        assert!(matches!(
            Identity::pem(half, &key),
            Err(TlsError::MalformedPem(_))
        ));
    }

    #[test]
    fn pem_files_are_read() {
        let CertifiedKey { cert, signing_key } = generated();
        let stem = env::temp_dir().join(format!("wt-connection-{}", process::id()));
        let (chain, key) = (stem.with_extension("crt"), stem.with_extension("key"));
        fs::write(&chain, cert.pem()).unwrap();
        fs::write(&key, signing_key.serialize_pem()).unwrap();

        let identity = Identity::pem_files(&chain, &key);
        let trust = Trust::pem_file(&chain);
        let keyless = Identity::pem_files(&chain, &chain);

        fs::remove_file(chain).unwrap();
        fs::remove_file(key).unwrap();
        assert_eq!(identity.unwrap().certificate_chain(), [cert.der().clone()]);
        assert!(trust.is_ok());
        assert!(matches!(keyless, Err(TlsError::NoPrivateKey)));
    }

    #[test]
    fn absent_file_is_named() {
        let error = Identity::pem_files("absent/chain.pem", "absent/key.pem").unwrap_err();

        assert_eq!(error.to_string(), "could not read absent/chain.pem");
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let chain = vec![generated().cert.into()];

        let identity = Identity::new(chain, generated().signing_key.into());

        assert!(matches!(identity, Err(TlsError::KeyMismatch)));
    }

    #[test]
    fn malformed_parts_are_refused() {
        let CertifiedKey { cert, signing_key } = generated();
        let no_cert = CertificateDer::from(b"no certificate".as_slice());
        let no_key = PrivateKeyDer::Pkcs8(b"no key".as_slice().into());

        let bad_cert = Identity::new(vec![no_cert], signing_key.into());
        let bad_key = Identity::new(vec![cert.into()], no_key);

        assert!(matches!(bad_cert, Err(TlsError::InvalidCertificate(_))));
        assert!(matches!(bad_key, Err(TlsError::InvalidPrivateKey(_))));
    }

    #[test]
    fn debug_shows_the_hash_and_no_key() {
        let CertifiedKey { cert, signing_key } = generated();
        let identity = Identity::new(vec![cert.into()], signing_key.into()).unwrap();

        let shown = format!("{identity:?}");

        let hash = identity.certificate_hash();
        assert_eq!(
            shown,
            format!("Identity {{ certificate_hash: {hash:?}, .. }}")
        );
    }
}

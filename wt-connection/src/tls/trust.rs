use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::quic::{ClientConnection, Version};
use rustls::version::TLS13;
use rustls::{ClientConfig, ConfigBuilder, KeyLogFile, RootCertStore};
use tracing::debug;

use crate::tls::verifier::LeafVerifier;
use crate::tls::{ALPN, CertificateHash, ReloadableIdentity, TlsError, pem, provider};

/// Whom a client believes, and what it proves itself with if asked.
///
/// Cheap to clone: clones share the certificates. Unless said otherwise, a server needs a chain to
/// a root and the name that was asked for.
#[derive(Clone, Debug)]
pub struct Trust {
    basis: Basis,
    client_identity: Option<ReloadableIdentity>,
}

/// Accepts every server, whoever it is; [`Trust`] is made from it.
///
/// It gives up all protection but against eavesdroppers who only listen: whoever can redirect
/// packets can pose as any server, and read and change everything. For tests on the own machine;
/// [`Trust::hashes`] is as easy and safe.
///
/// ```
/// use wt_connection::{DangerousNoVerification, Trust};
///
/// let trust = Trust::from(DangerousNoVerification);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "has no more to say than its name"
)]
pub struct DangerousNoVerification;

#[derive(Clone, Debug)]
enum Basis {
    Roots(Arc<RootCertStore>),
    Hashes(Arc<BTreeSet<CertificateHash>>),
    Nothing,
    Rustls(Arc<ClientConfig>),
}

impl Trust {
    /// Believes the system's root certificates, as they are now.
    ///
    /// The environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` stand in for the system's if
    /// set. Reads files, blocking while it does.
    ///
    /// # Errors
    ///
    /// Fails if there is not one usable root.
    pub fn system() -> Result<Self, TlsError> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(found.certs);
        debug!(roots = roots.len(), unusable, errors = ?found.errors, "loaded system roots");
        if roots.is_empty() {
            let error = found.errors.pop().map(Into::into);
            return Err(TlsError::NoSystemRoots(error));
        }
        Ok(Basis::Roots(Arc::new(roots)).into())
    }

    /// Believes these root certificates.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or one is malformed.
    pub fn roots(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(TlsError::InvalidCertificate)?;
        }
        if store.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        Ok(Basis::Roots(Arc::new(store)).into())
    }

    /// Believes the root certificates of a PEM file; blocks while it reads the file.
    ///
    /// # Errors
    ///
    /// Fails as [`Trust::roots`] does, and if the file cannot be read or is malformed.
    pub fn pem_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::roots(pem::certificates(&pem::read(path.as_ref())?)?)
    }

    /// Believes servers whose own certificate has one of these hashes, by [the rules of browsers].
    ///
    /// The certificate must be X.509v3 with an ECDSA P-256 key, valid now, and valid for no longer
    /// than 14 days in all. Its name and issuer do not matter.
    ///
    /// [the rules of browsers]: https://www.w3.org/TR/webtransport/#certificate-hashes
    #[must_use]
    pub fn hashes(hashes: impl IntoIterator<Item = CertificateHash>) -> Self {
        Basis::Hashes(Arc::new(hashes.into_iter().collect())).into()
    }

    /// Takes a whole rustls configuration, for everything that the others do not offer.
    ///
    /// It is taken as it is, but for ALPN: if that is empty, it becomes `h3`. It must support
    /// TLS 1.3 and the suite `TLS13_AES_128_GCM_SHA256`, or nothing can be connected with it.
    #[must_use]
    pub fn rustls(config: ClientConfig) -> Self {
        Basis::Rustls(Arc::new(config)).into()
    }

    /// Proves the client by a certificate to servers that ask for one; by default it has none.
    ///
    /// Takes the place of what [a rustls configuration](Trust::rustls) has for that.
    #[must_use]
    pub fn client_identity(mut self, identity: impl Into<ReloadableIdentity>) -> Self {
        self.client_identity = Some(identity.into());
        self
    }

    /// Builds the configuration; with `key_log`, one that writes secrets to `SSLKEYLOGFILE`.
    ///
    /// Sessions are resumed only between connections that share the result.
    pub(crate) fn client_config(
        &self,
        key_log: bool,
        early_data: bool,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let mut config = self.basis.client_config()?;
        config.enable_early_data |= early_data;
        if let Some(identity) = &self.client_identity {
            config.client_auth_cert_resolver = Arc::new(identity.clone());
        }
        if config.alpn_protocols.is_empty() {
            config.alpn_protocols.push(ALPN.to_vec());
        }
        if key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        let config = Arc::new(config);
        check(&config)?;
        Ok(config)
    }
}

impl Basis {
    fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider::provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Rustls)?;
        let builder = match self {
            Self::Rustls(config) => return Ok(ClientConfig::clone(config)),
            Self::Roots(roots) => builder.with_root_certificates(Arc::clone(roots)),
            Self::Hashes(hashes) => by(builder, LeafVerifier::pinned(Arc::clone(hashes))),
            Self::Nothing => by(builder, LeafVerifier::anything()),
        };
        Ok(builder.with_no_client_auth())
    }
}

impl From<DangerousNoVerification> for Trust {
    fn from(_: DangerousNoVerification) -> Self {
        Basis::Nothing.into()
    }
}

impl From<Basis> for Trust {
    fn from(basis: Basis) -> Self {
        Self {
            basis,
            client_identity: None,
        }
    }
}

fn by(
    builder: ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
    verifier: LeafVerifier,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
}

/// Tries what quinn would do, and panic over, at the first connection.
fn check(config: &Arc<ClientConfig>) -> Result<(), TlsError> {
    QuicClientConfig::try_from(Arc::clone(config))
        .map_err(|error| TlsError::NotForQuic(error.into()))?;
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    ClientConnection::new(Arc::clone(config), Version::V1, name, Vec::new())
        .map_err(|error| TlsError::NotForQuic(error.into()))?;
    Ok(())
}

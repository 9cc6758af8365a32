use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::quic::{ServerConnection, Version};
use rustls::version::TLS13;
use rustls::{KeyLogFile, ServerConfig};

use crate::tls::{ALPN, Identity, ReloadableIdentity, TlsError, provider};

/// What a server proves itself with.
///
/// Made from an [`Identity`], from a [`ReloadableIdentity`], or from a whole
/// [`rustls::ServerConfig`] for everything else: several certificates by server name, client
/// certificates, another crypto provider.
///
/// A configuration is taken as it is, but for ALPN: if that is empty, it becomes `h3`. It must
/// support TLS 1.3 and the suite `TLS13_AES_128_GCM_SHA256`, and its `max_early_data_size` must be
/// 0, the default, or `u32::MAX`, which
/// [`EndpointBuilder::early_data`](crate::EndpointBuilder::early_data) sets.
///
/// With a certificate alone, HTTP/3's SETTINGS leave with the server's first flight, which saves
/// clients a round trip. A configuration may ask clients to prove themselves, so with one they
/// leave once that is done.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Identity(ReloadableIdentity),
    Rustls(Arc<ServerConfig>),
}

impl ServerIdentity {
    /// Says whether it is known that clients are asked for no certificate.
    pub(crate) fn asks_no_client(&self) -> bool {
        match self.source {
            Source::Identity(_) => true,
            Source::Rustls(_) => false,
        }
    }

    /// Builds the configuration; with `key_log`, one that writes secrets to `SSLKEYLOGFILE`.
    ///
    /// Early data can be sent again only to another server: tickets are kept here, each for one
    /// use.
    pub(crate) fn server_config(
        &self,
        key_log: bool,
        early_data: bool,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = match &self.source {
            Source::Identity(identity) => identified(identity.clone())?,
            Source::Rustls(config) => ServerConfig::clone(config),
        };
        if early_data {
            config.max_early_data_size = u32::MAX;
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

impl From<Identity> for ServerIdentity {
    fn from(identity: Identity) -> Self {
        ReloadableIdentity::new(identity).into()
    }
}

impl From<ReloadableIdentity> for ServerIdentity {
    fn from(identity: ReloadableIdentity) -> Self {
        Self {
            source: Source::Identity(identity),
        }
    }
}

impl From<ServerConfig> for ServerIdentity {
    fn from(config: ServerConfig) -> Self {
        Self {
            source: Source::Rustls(Arc::new(config)),
        }
    }
}

fn identified(identity: ReloadableIdentity) -> Result<ServerConfig, TlsError> {
    Ok(ServerConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Rustls)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity)))
}

/// Tries what quinn would do, and panic over, at the first connection.
fn check(config: &Arc<ServerConfig>) -> Result<(), TlsError> {
    QuicServerConfig::try_from(Arc::clone(config))
        .map_err(|error| TlsError::NotForQuic(error.into()))?;
    ServerConnection::new(Arc::clone(config), Version::V1, Vec::new())
        .map_err(|error| TlsError::NotForQuic(error.into()))?;
    Ok(())
}

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as backend;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!("wt-connection needs a TLS provider: enable its feature `ring` or `aws-lc-rs`");

/// The provider of the enabled feature, whatever default the process has installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(backend::default_provider())
}

pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    backend::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .and_then(|suite| {
            suite
                .common
                .hash_provider
                .hash(data)
                .as_ref()
                .try_into()
                .ok()
        })
        .expect("TLS13_AES_128_GCM_SHA256 is a TLS 1.3 suite that hashes by SHA-256")
}

use std::sync::Arc;

use rustls::Tls13CipherSuite;
use rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as backend;
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
use rustls::crypto::ring as backend;
use rustls::crypto::tls13::OkmBlock;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
compile_error!("wt-connection needs a TLS provider: enable its feature `ring` or `aws-lc-rs`");

/// The provider of the enabled feature, whatever default the process has installed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(backend::default_provider())
}

pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    let hash = suite().common.hash_provider.hash(data);
    hash.as_ref().try_into().expect(SUITE)
}

pub(crate) fn hmac_sha256(key: &[u8; 64], data: &[u8]) -> [u8; 32] {
    let tag = suite().hkdf_provider.hmac_sign(&OkmBlock::new(key), data);
    tag.as_ref().try_into().expect(SUITE)
}

fn suite() -> &'static Tls13CipherSuite {
    backend::cipher_suite::TLS13_AES_128_GCM_SHA256
        .tls13()
        .expect(SUITE)
}

const SUITE: &str = "TLS13_AES_128_GCM_SHA256 is a TLS 1.3 suite that hashes by SHA-256";

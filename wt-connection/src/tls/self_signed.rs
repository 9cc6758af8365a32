use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::tls::verifier::MAX_LIFETIME;
use crate::tls::{Identity, TlsError};

/// Generates a certificate with a P-256 key, valid for as long as trust by hash allows.
pub(super) fn generate(names: Vec<String>) -> Result<Identity, TlsError> {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATED);
    let mut params = CertificateParams::new(names).map_err(refused)?;
    params.not_before = not_before;
    params.not_after = not_before + MAX_LIFETIME;
    let key = KeyPair::generate().map_err(refused)?;
    let certificate = params.self_signed(&key).map_err(refused)?;
    Identity::new(vec![certificate.into()], key.into())
}

fn refused(error: rcgen::Error) -> TlsError {
    TlsError::SelfSigned(error.into())
}

const BACKDATED: Duration = Duration::from_secs(60 * 60);

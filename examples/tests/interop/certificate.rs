//! The certificates of peers that have no means of making one.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wt_connection::CertificateHash;
use wtransport::Identity;

use crate::ours::NAMES;

pub(crate) struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) hash: CertificateHash,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let identity = Identity::self_signed(NAMES).unwrap();
        let certificate = &identity.certificate_chain().as_slice()[0];
        let key = identity.private_key().secret_der().to_vec();
        Self {
            chain: vec![certificate.der().to_vec().into()],
            key: key.try_into().unwrap(),
            hash: CertificateHash::from_bytes(*certificate.hash().as_ref()),
        }
    }
}

use std::sync::Arc;

use quinn::crypto::{CryptoError, HmacKey};
use quinn_proto::HashedConnectionIdGenerator;

use crate::tls;

/// The key by which a restarted server proves to the peers of its past self that it has forgotten
/// them ([RFC 9000 §10.3](https://www.rfc-editor.org/rfc/rfc9000#section-10.3)).
pub(crate) struct ResetKey([u8; 64]);

impl ResetKey {
    pub(crate) fn new(key: [u8; 64]) -> Self {
        Self(key)
    }

    /// The settings of an endpoint that resets with this key.
    pub(crate) fn endpoint_config(self) -> quinn::EndpointConfig {
        // An endpoint answers only to connection ids of its own making, which it tells by a key
        // that has to outlast the restart, too.
        let [a, b, c, d, e, f, g, h, ..] = self.tag(b"connection ids");
        let ids = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let mut config = quinn::EndpointConfig::new(Arc::new(self));
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
        config
    }

    fn tag(&self, data: &[u8]) -> [u8; 32] {
        tls::hmac_sha256(&self.0, data)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&self.tag(data));
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let tag = self.tag(data);
        let pairs = tag.iter().zip(signature);
        let differences = pairs.fold(0, |all, (ours, theirs)| all | (ours ^ theirs));
        if signature.len() == tag.len() && differences == 0 {
            Ok(())
        } else {
            Err(CryptoError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_verified_by_the_same_key_only() {
        let key = ResetKey::new([1; 64]);
        let mut signature = [0; 32];

        key.sign(b"data", &mut signature);

        assert!(key.verify(b"data", &signature).is_ok());
        assert!(key.verify(b"other", &signature).is_err());
        assert!(key.verify(b"data", &signature[..31]).is_err());
        assert!(ResetKey::new([2; 64]).verify(b"data", &signature).is_err());
    }
}

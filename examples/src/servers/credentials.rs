use std::fmt::{self, Write};
use std::io;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use wt_connection::{Endpoint, EndpointBuilder, Identity, TlsError, Trust};

use crate::BoxError;

/// What the servers of one fleet prove themselves by: a certificate, and the key by which one that
/// has been started again tells clients that it has forgotten them.
#[derive(Clone)]
pub struct Credentials {
    certificate: CertificateDer<'static>,
    /// As it goes through a pipe; an empty line ends it.
    text: String,
}

impl Credentials {
    /// New ones, for servers on this machine.
    ///
    /// # Errors
    ///
    /// Fails without randomness.
    pub fn generate() -> Result<Self, BoxError> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let signed = rcgen::generate_simple_self_signed(names)?;
        let mut reset_key = [0; 64];
        let random = ring::default_provider().secure_random;
        random.fill(&mut reset_key).map_err(|_| "no randomness")?;
        let key = signed.signing_key.serialize_pem();
        Ok(Self {
            text: format!("{}\n{}{key}\n", hex(&reset_key), signed.cert.pem()),
            certificate: signed.cert.into(),
        })
    }

    /// Believes servers that have these.
    ///
    /// # Errors
    ///
    /// Fails if the certificate cannot be used.
    pub fn trust(&self) -> Result<Trust, TlsError> {
        Trust::roots([self.certificate.clone()])
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads what another process has written, and makes an endpoint of it.
    pub(crate) fn read(stdin: &io::Stdin) -> Result<EndpointBuilder, BoxError> {
        let mut reset_key = String::new();
        stdin.read_line(&mut reset_key)?;
        let mut pem = String::new();
        while stdin.read_line(&mut pem)? > 1 {}
        let identity = Identity::pem(pem.as_bytes(), pem.as_bytes())?;
        let builder = Endpoint::builder().identity(identity);
        Ok(builder.stateless_reset_key(unhex(reset_key.trim())?))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], BoxError> {
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * i..2 * i + 2).ok_or("the key is too short")?;
        *byte = u8::from_str_radix(digits, 16)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key: [u8; 64] = std::array::from_fn(|i| i as u8 * 4);

        assert_eq!(unhex(&hex(&key)).ok(), Some(key));
        assert!(unhex::<64>("00").is_err());
        assert!(unhex::<1>("zz").is_err());
    }
}

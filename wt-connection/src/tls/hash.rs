use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;

use crate::tls::provider;

/// The SHA-256 of a certificate, by which a client can trust it.
///
/// Written and read as hexadecimal digits, `ab:cd:…`; upper case and missing colons are read too.
/// That is what `openssl x509 -noout -fingerprint -sha256` prints after the equals sign.
///
/// ```
/// use wt_connection::CertificateHash;
///
/// let hash: CertificateHash = "AB".repeat(32).parse()?;
/// assert_eq!(hash.as_bytes(), &[0xab; 32]);
/// assert!(hash.to_string().starts_with("ab:ab:"));
/// # Ok::<(), wt_connection::CertificateHashError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateHash([u8; LEN]);

/// The text is not 32 bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate hash is not 32 bytes in hexadecimal")]
#[non_exhaustive]
pub struct CertificateHashError;

impl CertificateHash {
    /// Hashes a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(provider::sha256(certificate))
    }

    /// Takes a hash that is already known.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the hash as browsers want it in `serverCertificateHashes`.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

impl FromStr for CertificateHash {
    type Err = CertificateHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stride = if text.contains(':') { 3 } else { 2 };
        if text.len() != LEN * stride - (stride - 2) {
            return Err(CertificateHashError);
        }
        let mut bytes = [0; LEN];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(stride)) {
            *byte = match digits {
                [high, low] | [high, low, b':'] => nibble(*high)? << 4 | nibble(*low)?,
                _ => return Err(CertificateHashError),
            };
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateHash({self})")
    }
}

fn nibble(digit: u8) -> Result<u8, CertificateHashError> {
    let value = char::from(digit).to_digit(16).ok_or(CertificateHashError)?;
    u8::try_from(value).map_err(|_| CertificateHashError)
}

const LEN: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hash_is_sha256() {
        let hash = CertificateHash::of(&CertificateDer::from(b"abc".as_slice()));

        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash, expected.parse().unwrap());
    }

    #[test]
    fn text_of_wrong_shape_is_refused() {
        let plain = "ab".repeat(32);
        let colons = vec!["ab"; 32].join(":");
        for text in [
            String::new(),
            plain[1..].to_owned(),
            format!("{plain}ab"),
            plain.replace('b', "g"),
            format!("+{}", &plain[1..]),
            format!("{colons}:"),
            colons[1..].to_owned(),
            colons.replace(":a", "::"),
            colons.replacen(':', "-", 1),
            "é".repeat(32),
        ] {
            assert_eq!(
                text.parse::<CertificateHash>(),
                Err(CertificateHashError),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn text_is_read_back(bytes: [u8; LEN]) {
            let hash = CertificateHash::from_bytes(bytes);

            let text = hash.to_string();

            prop_assert_eq!(text.parse(), Ok(hash));
            prop_assert_eq!(text.to_uppercase().parse(), Ok(hash));
            prop_assert_eq!(text.replace(':', "").parse(), Ok(hash));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<CertificateHash>();
        }
    }
}

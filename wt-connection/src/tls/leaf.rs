use std::time::Duration;

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{ErrorKind, Reader, SliceReader, Tag, Tagged};
use rustls::pki_types::alg_id::ECDSA_P256;
use rustls::pki_types::{CertificateDer, UnixTime};

/// What a server's own certificate says of itself, read without a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    key_is_p256: bool,
    // Since the Unix epoch; both ends belong to the period.
    not_before: Duration,
    not_after: Duration,
}

impl Leaf {
    /// Reads an X.509v3 certificate, [RFC 5280 section 4.1].
    ///
    /// [RFC 5280 section 4.1]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1
    pub(super) fn parse(certificate: &CertificateDer<'_>) -> der::Result<Self> {
        let mut certificate = sequence(&mut SliceReader::new(certificate)?)?;
        let mut fields = sequence(&mut certificate)?;
        if fields.tlv_bytes()? != V3 {
            return Err(ErrorKind::Failed.into());
        }
        for _serial_algorithm_issuer in 0..3 {
            fields.tlv_bytes()?;
        }
        let mut validity = sequence(&mut fields)?;
        let _subject = fields.tlv_bytes()?;
        let key_algorithm: AnyRef<'_> = sequence(&mut fields)?.decode()?;
        Ok(Self {
            key_is_p256: key_algorithm.value() == ECDSA_P256.as_ref(),
            not_before: time(&mut validity)?,
            not_after: time(&mut validity)?,
        })
    }

    pub(super) fn key_is_p256(&self) -> bool {
        self.key_is_p256
    }

    /// How long the certificate is valid in all.
    pub(super) fn lifetime(&self) -> Duration {
        self.not_after.saturating_sub(self.not_before)
    }

    pub(super) fn is_valid_at(&self, now: UnixTime) -> bool {
        let now = Duration::from_secs(now.as_secs());
        (self.not_before..=self.not_after).contains(&now)
    }
}

fn sequence<'a>(reader: &mut SliceReader<'a>) -> der::Result<SliceReader<'a>> {
    let any: AnyRef<'a> = reader.decode()?;
    any.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(any.value())
}

fn time(reader: &mut SliceReader<'_>) -> der::Result<Duration> {
    Ok(match Tag::peek(reader)? {
        Tag::UtcTime => reader.decode::<UtcTime>()?.to_unix_duration(),
        _ => reader.decode::<GeneralizedTime>()?.to_unix_duration(),
    })
}

/// `[0] EXPLICIT INTEGER 2`, the version field of a v3 certificate.
const V3: &[u8] = &[0xa0, 3, 2, 1, 2];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, date_time_ymd};

    use super::*;

    fn certificate(key: &KeyPair) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2049, 12, 31);
        params.not_after = date_time_ymd(2050, 1, 1);
        params.self_signed(key).unwrap().into()
    }

    #[test]
    fn both_kinds_of_time_are_read() {
        let certificate = certificate(&KeyPair::generate().unwrap());

        let leaf = Leaf::parse(&certificate).unwrap();

        // The former is a UTCTime, the latter a GeneralizedTime.
        assert_eq!(leaf.not_before, Duration::from_secs(2_524_521_600));
        assert_eq!(leaf.not_after, Duration::from_secs(2_524_608_000));
    }

    #[test]
    fn both_ends_belong_to_the_period() {
        let second = Duration::from_secs(1);
        let leaf = Leaf {
            key_is_p256: true,
            not_before: 10 * second,
            not_after: 20 * second,
        };
        let valid_at = |secs| leaf.is_valid_at(UnixTime::since_unix_epoch(secs * second));

        assert_eq!([9, 10, 20, 21].map(valid_at), [false, true, true, false]);
        assert_eq!(leaf.lifetime(), 10 * second);
    }

    #[test]
    fn key_of_another_curve_is_told_apart() {
        let p256 = certificate(&KeyPair::generate().unwrap());
        let ed25519 = certificate(&KeyPair::generate_for(&PKCS_ED25519).unwrap());

        assert!(Leaf::parse(&p256).unwrap().key_is_p256());
        assert!(!Leaf::parse(&ed25519).unwrap().key_is_p256());
    }

    #[test]
    fn truncated_certificate_is_refused() {
        let whole = certificate(&KeyPair::generate().unwrap());

        for len in 0..whole.len() {
            assert!(Leaf::parse(&CertificateDer::from(&whole[..len])).is_err());
        }
    }

    proptest! {
        #[test]
        fn damaged_certificate_does_not_panic(at in 0..200_usize, byte: u8) {
            let mut damaged = certificate(&KeyPair::generate().unwrap()).to_vec();

            damaged[at] = byte;

            let _ = Leaf::parse(&damaged.into());
        }
    }
}

//! Real TLS handshakes, in memory.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::tls::{
    CertificateHash, DangerousNoVerification, Identity, ReloadableIdentity, ServerIdentity,
    TlsError, Trust, provider,
};

/// What either side saw of the other.
struct Seen {
    server: CertificateDer<'static>,
    client: Option<CertificateDer<'static>>,
    alpn: Vec<u8>,
    resumed: bool,
}

fn handshake(trust: &Trust, server: impl Into<ServerIdentity>) -> Result<Seen, rustls::Error> {
    handshake_as(trust, server, "localhost")
}

fn handshake_as(
    trust: &Trust,
    server: impl Into<ServerIdentity>,
    name: &'static str,
) -> Result<Seen, rustls::Error> {
    let client = trust.client_config(false).unwrap();
    let server = server.into().server_config(false).unwrap();
    connect(&client, &server, name)
}

fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &'static str,
) -> Result<Seen, rustls::Error> {
    let name = ServerName::try_from(name).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        server.read_tls(&mut flight.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        let mut rest = flight.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Seen {
        server: client.peer_certificates().unwrap()[0].clone(),
        client: server.peer_certificates().map(|chain| chain[0].clone()),
        alpn: client.alpn_protocol().unwrap().to_vec(),
        resumed: client.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
    })
}

/// An identity for `localhost` that became valid `age` ago.
fn identity_of(
    algorithm: &'static SignatureAlgorithm,
    age: Duration,
    lifetime: Duration,
) -> Identity {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + now - age;
    params.not_after = params.not_before + lifetime;
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity::new(vec![certificate.into()], key.into()).unwrap()
}

fn identity() -> Identity {
    identity_of(&rcgen::PKCS_ECDSA_P256_SHA256, HOUR, 14 * DAY)
}

fn refusal_of(identity: Identity) -> String {
    let trust = Trust::hashes([identity.certificate_hash()]);
    handshake(&trust, identity).err().unwrap().to_string()
}

#[test]
fn pinned_certificate_is_accepted_under_any_name() {
    let identity = identity();
    let other = CertificateHash::from_bytes([0; 32]);
    let trust = Trust::hashes([other, identity.certificate_hash()]);

    let seen = handshake_as(&trust, identity.clone(), "192.0.2.1").unwrap();

    assert_eq!(seen.server, identity.certificate_chain()[0]);
    assert_eq!(seen.alpn, b"h3");
    assert_eq!(seen.client, None);
}

#[test]
fn unpinned_certificate_is_refused() {
    let trust = Trust::hashes([identity().certificate_hash()]);

    let error = handshake(&trust, identity()).err().unwrap();

    assert!(
        error.to_string().contains("certificate hash is not pinned"),
        "{error}"
    );
    assert!(handshake(&Trust::hashes([]), identity()).is_err());
}

#[test]
fn pinned_key_of_another_kind_is_refused() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let error = refusal_of(identity_of(algorithm, HOUR, DAY));

        assert!(
            error.contains("certificate key is not ECDSA P-256"),
            "{error}"
        );
    }
}

#[test]
fn pinned_certificate_of_over_14_days_is_refused() {
    let error = refusal_of(identity_of(
        &rcgen::PKCS_ECDSA_P256_SHA256,
        HOUR,
        14 * DAY + Duration::from_secs(1),
    ));

    assert!(
        error.contains("certificate is valid for more than 14 days"),
        "{error}"
    );
}

#[test]
fn pinned_certificate_out_of_its_period_is_refused() {
    let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
    let expired = identity_of(algorithm, DAY, DAY - HOUR);
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2100, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 2);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let premature = Identity::new(vec![certificate.into()], key.into()).unwrap();

    for error in [refusal_of(expired), refusal_of(premature)] {
        assert!(error.contains("certificate is not valid now"), "{error}");
    }
}

/// A server that shows a certificate whose key it does not hold.
#[test]
fn signature_is_verified_even_without_a_chain() {
    let victim = identity();
    let impostor = KeyPair::generate().unwrap();
    let key = provider::provider()
        .key_provider
        .load_private_key(PrivateKeyDer::from(impostor))
        .unwrap();
    let stolen = rustls::sign::CertifiedKey::new(victim.certificate_chain().to_vec(), key);
    let server = ServerConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));

    let pinned = Trust::hashes([victim.certificate_hash()]);
    for trust in [pinned, DangerousNoVerification.into()] {
        let error = handshake(&trust, server.clone()).err();

        let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature);
        assert_eq!(error, Some(bad));
    }
}

#[test]
fn root_is_believed_for_its_names_only() {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let server = Identity::new(vec![leaf.into()], key.into()).unwrap();
    let trust = Trust::roots([root.into()]).unwrap();

    assert!(handshake_as(&trust, server.clone(), "localhost").is_ok());
    assert!(handshake_as(&trust, server.clone(), "127.0.0.1").is_ok());
    let wrong_name = handshake_as(&trust, server, "example.org").err().unwrap();
    assert!(
        wrong_name.to_string().contains("not valid for name"),
        "{wrong_name}"
    );
    let wrong_root = handshake(&trust, identity()).err();
    assert!(matches!(
        wrong_root,
        Some(rustls::Error::InvalidCertificate(_))
    ));
}

#[test]
fn roots_are_needed() {
    let malformed = CertificateDer::from(b"no certificate".as_slice());

    assert!(matches!(Trust::roots([]), Err(TlsError::NoCertificate)));
    assert!(matches!(
        Trust::roots([malformed]),
        Err(TlsError::InvalidCertificate(_))
    ));
    assert!(matches!(
        Trust::pem_file("absent.pem"),
        Err(TlsError::Unreadable { .. })
    ));
}

#[test]
fn system_roots_do_not_believe_strangers() {
    match Trust::system() {
        Ok(trust) => assert!(handshake(&trust, identity()).is_err()),
        Err(error) => assert!(matches!(error, TlsError::NoSystemRoots(_)), "{error}"),
    }
}

#[test]
fn no_verification_accepts_anyone() {
    let trust = Trust::from(DangerousNoVerification);
    let expired = identity_of(&PKCS_ED25519, 900 * DAY, DAY);

    assert!(handshake_as(&trust, expired, "example.org").is_ok());
}

#[test]
fn replaced_identity_serves_the_next_handshake() {
    let (first, second) = (identity(), identity());
    let reloadable = ReloadableIdentity::new(first.clone());
    let server = ServerIdentity::from(reloadable.clone())
        .server_config(false)
        .unwrap();
    let client = || {
        Trust::from(DangerousNoVerification)
            .client_config(false)
            .unwrap()
    };

    let before = connect(&client(), &server, "localhost").unwrap();
    reloadable.replace(second.clone());
    let after = connect(&client(), &server, "localhost").unwrap();

    assert_eq!(before.server, first.certificate_chain()[0]);
    assert_eq!(after.server, second.certificate_chain()[0]);
    assert_eq!(
        reloadable.current().certificate_hash(),
        second.certificate_hash()
    );
}

#[test]
fn session_is_resumed_under_the_same_configuration() {
    let server = ServerIdentity::from(identity())
        .server_config(false)
        .unwrap();
    let client = Trust::from(DangerousNoVerification)
        .client_config(false)
        .unwrap();

    let first = connect(&client, &server, "localhost").unwrap();
    let second = connect(&client, &server, "localhost").unwrap();

    assert!(!first.resumed);
    assert!(second.resumed);
}

#[test]
fn client_proves_itself_to_a_server_that_asks() {
    let (client, server) = (identity(), identity());
    let mut roots = RootCertStore::empty();
    roots.add(client.certificate_chain()[0].clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider::provider())
            .build()
            .unwrap();
    let demanding = ServerConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ReloadableIdentity::new(server.clone())));
    let nameless = Trust::hashes([server.certificate_hash()]);
    let named = nameless.clone().client_identity(client.clone());

    let refused = handshake(&nameless, demanding.clone()).err();
    let seen = handshake(&named, demanding).unwrap();

    assert_eq!(refused, Some(rustls::Error::NoCertificatesPresented));
    assert_eq!(seen.client.as_ref(), client.certificate_chain().first());
    assert_eq!(seen.alpn, b"h3");
}

#[test]
fn own_configurations_keep_their_alpn() {
    let mut client = ClientConfig::clone(
        &Trust::from(DangerousNoVerification)
            .client_config(false)
            .unwrap(),
    );
    let mut server = ServerConfig::clone(
        &ServerIdentity::from(identity())
            .server_config(false)
            .unwrap(),
    );
    client.alpn_protocols = vec![b"other".to_vec()];
    server.alpn_protocols = vec![b"other".to_vec(), b"h3".to_vec()];

    let seen = handshake(&Trust::rustls(client), server).unwrap();

    assert_eq!(seen.alpn, b"other");
}

/// quinn panics over these, and only once the first connection comes.
#[test]
fn own_configurations_unfit_for_quic_are_refused() {
    let mut early = ServerConfig::clone(
        &ServerIdentity::from(identity())
            .server_config(false)
            .unwrap(),
    );
    early.max_early_data_size = 1000;
    let mut without_suite = provider::provider().as_ref().clone();
    without_suite
        .cipher_suites
        .retain(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let client = ClientConfig::builder_with_provider(Arc::new(without_suite))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();

    let server = ServerIdentity::from(early).server_config(false);
    let client = Trust::rustls(client).client_config(false);

    assert!(matches!(server, Err(TlsError::NotForQuic(_))));
    assert!(matches!(client, Err(TlsError::NotForQuic(_))));
}

#[test]
fn early_data_is_off_and_keys_are_logged_only_when_asked() {
    let server = ServerIdentity::from(identity());
    let trust = Trust::from(DangerousNoVerification);

    let quiet = (
        trust.client_config(false).unwrap(),
        server.server_config(false).unwrap(),
    );
    let logged = (
        trust.client_config(true).unwrap(),
        server.server_config(true).unwrap(),
    );

    assert!(!quiet.0.enable_early_data);
    assert_eq!(quiet.1.max_early_data_size, 0);
    let is_file = |log: &Arc<dyn rustls::KeyLog>| format!("{log:?}").contains("KeyLogFile");
    assert_eq!(
        (is_file(&quiet.0.key_log), is_file(&quiet.1.key_log)),
        (false, false)
    );
    assert_eq!(
        (is_file(&logged.0.key_log), is_file(&logged.1.key_log)),
        (true, true)
    );
}

#[cfg(feature = "self-signed")]
#[test]
fn self_signed_identity_is_trusted_by_hash_and_by_name() {
    let identity = Identity::self_signed(["localhost", "::1"]).unwrap();
    let by_hash = Trust::hashes([identity.certificate_hash()]);
    let by_name = Trust::roots(identity.certificate_chain().to_vec()).unwrap();

    assert!(handshake_as(&by_hash, identity.clone(), "example.org").is_ok());
    assert!(handshake_as(&by_name, identity.clone(), "::1").is_ok());
    assert!(handshake_as(&by_name, identity.clone(), "localhost").is_ok());
    assert!(handshake_as(&by_name, identity, "example.org").is_err());
    assert!(matches!(
        Identity::self_signed(["é"]),
        Err(TlsError::SelfSigned(_))
    ));
}

#[test]
fn public_types_are_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}

    shared::<(
        Trust,
        Identity,
        ReloadableIdentity,
        ServerIdentity,
        CertificateHash,
    )>();
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

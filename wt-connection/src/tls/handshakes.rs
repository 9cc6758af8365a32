//! Real TLS handshakes, in memory.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConfigBuilder, Error, HandshakeKind, KeyLog,
    RootCertStore, ServerConfig, ServerConnection, WantsVerifier,
};

use crate::tls::{
    CertificateHash, DangerousNoVerification, Identity, ReloadableIdentity, ServerIdentity,
    TlsError, Trust, provider,
};

/// What either side saw of the other.
pub(super) struct Seen {
    pub(super) server: CertificateDer<'static>,
    pub(super) client: Option<CertificateDer<'static>>,
    pub(super) alpn: Vec<u8>,
    pub(super) resumed: bool,
}

pub(super) fn handshake(trust: &Trust, server: impl Into<ServerIdentity>) -> Result<Seen, Error> {
    handshake_as(trust, server, "localhost")
}

pub(super) fn handshake_as(
    trust: &Trust,
    server: impl Into<ServerIdentity>,
    name: &'static str,
) -> Result<Seen, Error> {
    let client = trust.client_config(false, false).unwrap();
    let server = server.into().server_config(false, false).unwrap();
    connect(&client, &server, name)
}

fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    name: &'static str,
) -> Result<Seen, Error> {
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
        resumed: client.handshake_kind() == Some(HandshakeKind::Resumed),
    })
}

/// An identity for `localhost`, valid from so long after the Unix epoch.
pub(super) fn valid_from(
    algorithm: &'static SignatureAlgorithm,
    not_before: Duration,
    lifetime: Duration,
) -> Identity {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + not_before;
    params.not_after = params.not_before + lifetime;
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity::new(vec![certificate.into()], key.into()).unwrap()
}

pub(super) fn server_builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider::provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
}

pub(super) fn now() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

pub(super) fn identity() -> Identity {
    valid_from(&PKCS_ECDSA_P256_SHA256, now() - HOUR, 14 * DAY)
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
    assert!(matches!(wrong_root, Some(Error::InvalidCertificate(_))));
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
    let expired = valid_from(&PKCS_ED25519, now() - 900 * DAY, DAY);

    assert!(handshake_as(&trust, expired, "example.org").is_ok());
}

#[test]
fn replaced_identity_serves_the_next_handshake() {
    let (first, second) = (identity(), identity());
    let reloadable = ReloadableIdentity::new(first.clone());
    let server = ServerIdentity::from(reloadable.clone())
        .server_config(false, false)
        .unwrap();
    let client = || {
        Trust::from(DangerousNoVerification)
            .client_config(false, false)
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
        .server_config(false, false)
        .unwrap();
    let client = Trust::from(DangerousNoVerification)
        .client_config(false, false)
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
    let demanding = server_builder()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ReloadableIdentity::new(server.clone())));
    let nameless = Trust::hashes([server.certificate_hash()]);
    let named = nameless.clone().client_identity(client.clone());

    let refused = handshake(&nameless, demanding.clone()).err();
    let seen = handshake(&named, demanding).unwrap();

    assert_eq!(refused, Some(Error::NoCertificatesPresented));
    assert_eq!(seen.client.as_ref(), client.certificate_chain().first());
    assert_eq!(seen.alpn, b"h3");
}

#[test]
fn own_configurations_keep_their_alpn() {
    let mut client = Arc::unwrap_or_clone(
        Trust::from(DangerousNoVerification)
            .client_config(false, false)
            .unwrap(),
    );
    let mut server = Arc::unwrap_or_clone(
        ServerIdentity::from(identity())
            .server_config(false, false)
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
    let mut early = Arc::unwrap_or_clone(
        ServerIdentity::from(identity())
            .server_config(false, false)
            .unwrap(),
    );
    early.max_early_data_size = 1000;
    let mut without_suite = provider::provider().as_ref().clone();
    without_suite
        .cipher_suites
        .retain(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let client = ClientConfig::builder_with_provider(Arc::new(without_suite))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();

    let server = ServerIdentity::from(early).server_config(false, false);
    let client = Trust::rustls(client).client_config(false, false);

    assert!(matches!(server, Err(TlsError::NotForQuic(_))));
    assert!(matches!(client, Err(TlsError::NotForQuic(_))));
}

#[test]
fn early_data_is_off_and_keys_are_logged_only_when_asked() {
    let server = ServerIdentity::from(identity());
    let trust = Trust::from(DangerousNoVerification);

    let quiet = (
        trust.client_config(false, false).unwrap(),
        server.server_config(false, false).unwrap(),
    );
    let logged = (
        trust.client_config(true, false).unwrap(),
        server.server_config(true, false).unwrap(),
    );

    assert!(!quiet.0.enable_early_data);
    assert_eq!(quiet.1.max_early_data_size, 0);
    let is_file = |log: &Arc<dyn KeyLog>| format!("{log:?}").contains("KeyLogFile");
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

pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

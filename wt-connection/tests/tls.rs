//! Trust and identity on real connections.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::bounded::within;
use common::{LOOPBACK, connections, connector, server_builder, session, target};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tower::ServiceExt;
use wt_connection::{
    CertificateHash, ConnectError, Connection, Connector, Endpoint, Identity, OpenError,
    ReloadableIdentity, ServerIdentity, Trust,
};

#[tokio::test]
async fn the_hash_of_a_self_signed_identity_is_that_of_what_the_server_shows() {
    within(async {
        let (identity, builder) = server_builder();
        let server = builder.bind().unwrap();

        let (client, _server) = connections(&server, &connector(&identity)).await;

        let shown = certificate(&client);
        assert_eq!(CertificateHash::of(&shown), identity.certificate_hash());
        let text = identity.certificate_hash().to_string();
        assert_eq!(text.parse(), Ok(identity.certificate_hash()));
    })
    .await;
}

#[tokio::test]
async fn system_roots_do_not_trust_a_self_signed_server() {
    within(async {
        let (_, builder) = server_builder();
        let server = builder.bind().unwrap();
        let url = format!("https://{}/", common::address(&server));
        let refuse = tokio::spawn(async move { server.accept().await.unwrap().await });

        let error = wt_connection::connect(&url).await;

        refuse.abort();
        assert!(
            matches!(
                error,
                Err(OpenError::Connect(
                    // The latter on a machine without any roots.
                    ConnectError::Tls { .. } | ConnectError::Endpoint(_)
                ))
            ),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_replaced_identity_serves_the_next_connection_and_the_live_one_goes_on() {
    within(async {
        let (before, after) = (self_signed(), self_signed());
        let reloadable = ReloadableIdentity::new(before.clone());
        let server = server(reloadable.clone());
        let (live, there) = connections(&server, &connector(&before)).await;

        reloadable.replace(after.clone());
        // From another endpoint: a resumed TLS session shows no certificate at all.
        let (next, _next_there) = connections(&server, &connector(&after)).await;

        assert_eq!(certificate(&live), before.certificate_chain()[0]);
        assert_eq!(certificate(&next), after.certificate_chain()[0]);
        let (opened, accepted) = session(&live, &there).await;
        assert_eq!(opened.id(), accepted.id());
    })
    .await;
}

#[tokio::test]
async fn a_client_that_pins_the_old_hash_is_told_after_a_reload() {
    within(async {
        let before = self_signed();
        let reloadable = ReloadableIdentity::new(before.clone());
        let server = server(reloadable.clone());

        reloadable.replace(self_signed());
        let accept = async { server.accept().await.unwrap().await.is_err() };
        let connect = connector(&before).oneshot(target(&server));
        let (error, refused) = tokio::join!(connect, accept);

        assert!(matches!(error, Err(ConnectError::Tls { .. })), "{error:?}");
        assert!(refused);
    })
    .await;
}

#[tokio::test]
async fn identity_and_trust_come_from_pem_files() {
    within(async {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = folder("pem");
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        fs::write(&chain, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();

        let server = server(Identity::pem_files(&chain, &key).unwrap());
        let connector = trusting(Trust::pem_file(&chain).unwrap());
        let (client, _server) = connections(&server, &connector).await;

        assert_eq!(certificate(&client), *made.cert.der());
    })
    .await;
}

#[tokio::test]
async fn a_rustls_configuration_of_ones_own_serves_and_connects() {
    within(async {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let tls = rustls::ServerConfig::builder_with_provider(common::bare::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], made.signing_key.into())
            .unwrap();

        let server = server(tls);
        let connector = trusting(Trust::rustls(common::bare::client_tls(certificate)));
        let (client, there) = connections(&server, &connector).await;

        let (opened, accepted) = session(&client, &there).await;
        assert_eq!(opened.id(), accepted.id());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_demands_client_certificates_accepts_those_who_have_one() {
    within(async {
        let client_identity = self_signed();
        let (config, trust) = demanding(&client_identity);
        let server = server(config);
        let nameless = trusting(trust.clone());
        let stranger = trusting(trust.clone().client_identity(self_signed()));
        let named = trusting(trust.client_identity(client_identity.clone()));

        for refused in [nameless, stranger] {
            let accept = async { server.accept().await.unwrap().await };
            let (error, there) = tokio::join!(refused.oneshot(target(&server)), accept);
            assert!(matches!(error, Err(ConnectError::Tls { .. })), "{error:?}");
            assert!(matches!(there, Err(ConnectError::Tls { .. })), "{there:?}");
        }
        let (_client, there) = connections(&server, &named).await;

        assert_eq!(certificate(&there), client_identity.certificate_chain()[0]);
    })
    .await;
}

#[tokio::test]
async fn secrets_are_logged_only_where_asked_for() {
    within(async {
        const CHILD: &str = "WT_CONNECTION_LOGS_KEYS";
        const NAME: &str = "secrets_are_logged_only_where_asked_for";
        if let Ok(logs) = std::env::var(CHILD) {
            return connect_with_key_log(logs == "yes").await;
        }

        let folder = folder("secrets");
        for logs in ["yes", "no"] {
            let file = folder.join(logs);
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", NAME]);
            child.env(CHILD, logs).env("SSLKEYLOGFILE", &file);
            let ran = tokio::task::spawn_blocking(move || child.output()).await;
            assert!(ran.unwrap().unwrap().status.success());
        }

        let logged = fs::read_to_string(folder.join("yes")).unwrap();
        let secrets = logged.matches("CLIENT_TRAFFIC_SECRET_0 ").count();
        assert_eq!(secrets, 2, "each side's: {logged}");
        assert!(!folder.join("no").exists());
    })
    .await;
}

async fn connect_with_key_log(logs: bool) {
    let (identity, builder) = server_builder();
    let server = builder.key_log(logs).bind().unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let client = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    let client = client.trust(trust).key_log(logs).bind().unwrap();
    connections(&server, &Connector::new(client)).await;
}

/// A configuration that demands a certificate of `client`'s, and what to trust it by.
fn demanding(client: &Identity) -> (rustls::ServerConfig, Trust) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client.certificate_chain()[0].clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), common::bare::provider())
            .build();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let config = rustls::ServerConfig::builder_with_provider(common::bare::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(vec![certificate.clone()], made.signing_key.into())
        .unwrap();
    (config, Trust::roots([certificate]).unwrap())
}

fn self_signed() -> Identity {
    Identity::self_signed(["localhost"]).unwrap()
}

fn server(identity: impl Into<ServerIdentity>) -> Endpoint {
    Endpoint::server(LOOPBACK.parse().unwrap(), identity).unwrap()
}

fn trusting(trust: Trust) -> Connector {
    let builder = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    Connector::new(builder.trust(trust).bind().unwrap())
}

/// The certificate that the peer has shown.
fn certificate(connection: &Connection) -> CertificateDer<'static> {
    let shown = connection.quic().peer_identity().unwrap();
    let chain = shown.downcast::<Vec<CertificateDer<'static>>>().unwrap();
    chain[0].clone()
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

//! The function `connect`, where the system's roots are the test's own: each test runs itself once
//! more, in a child process whose `SSL_CERT_FILE` holds the root.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use common::bounded::within;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use wt_connection::{ConnectError, Endpoint, Identity, OpenError, connect};

#[tokio::test]
async fn connect_opens_a_session_where_the_system_trusts_the_server() {
    within(async {
        let Some((server, url)) = child("connect_opens_a_session").await else {
            return;
        };

        let accept = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            let request = connection.accept().await.unwrap();
            assert_eq!(request.uri().to_string(), url);
            request.accept().await.unwrap()
        };
        let (opened, accepted) = tokio::join!(connect(&url), accept);

        let opened = opened.unwrap();
        accepted.send_datagram("hello").unwrap();
        assert_eq!(opened.read_datagram().await.unwrap(), "hello");
        opened.connection().close(0, "").await;
        assert!(accepted.connection().closed().await.is_orderly());
    })
    .await;
}

#[tokio::test]
async fn connect_refuses_a_server_that_the_system_does_not_trust() {
    within(async {
        let Some(_trusted) = child("connect_refuses_a_server").await else {
            return;
        };
        let (server, url) = serve(Identity::self_signed(["localhost"]).unwrap());
        let accept = async { server.accept().await.unwrap().await };

        let (opened, accepted) = tokio::join!(connect(&url), accept);

        assert!(
            matches!(opened, Err(OpenError::Connect(ConnectError::Tls { .. }))),
            "{opened:?}"
        );
        assert!(accepted.is_err());
    })
    .await;
}

#[tokio::test]
async fn connect_dropped_in_the_handshake_gives_the_connection_up() {
    within(async {
        let Some((server, url)) = child("connect_dropped_in_the_handshake").await else {
            return;
        };
        let mut connecting = Box::pin(connect(&url));
        let incoming = tokio::select! {
            opened = &mut connecting => panic!("nobody has accepted {opened:?}"),
            incoming = server.accept() => incoming.unwrap(),
        };

        drop(connecting);

        let error = incoming.await.unwrap_err();
        assert!(matches!(error, ConnectError::Lost(_)), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn connect_dropped_before_its_session_is_answered_gives_the_connection_up() {
    within(async {
        let Some((server, url)) = child("connect_dropped_before_its_session").await else {
            return;
        };
        let mut connecting = Box::pin(connect(&url));
        let asked = async {
            let connection = server.accept().await.unwrap().await.unwrap();
            let request = connection.accept().await.unwrap();
            (connection, request)
        };
        let (there, _request) = tokio::select! {
            opened = &mut connecting => panic!("nobody has answered {opened:?}"),
            asked = asked => asked,
        };

        drop(connecting);

        let end = there.closed().await;
        assert!(end.is_orderly(), "{end:?}");
    })
    .await;
}

/// In the child process: a server that the system trusts, and a URL of it.
///
/// In the parent: `None`, once the test whose name begins like this has passed in a child process.
async fn child(test: &'static str) -> Option<(Endpoint, String)> {
    let Ok(folder) = env::var(FOLDER) else {
        run_as_child(test).await;
        return None;
    };
    let folder = Path::new(&folder);
    let identity = Identity::pem_files(folder.join(CHAIN), folder.join(KEY));
    Some(serve(identity.unwrap()))
}

fn serve(identity: Identity) -> (Endpoint, String) {
    // Whichever address `localhost` is here.
    let server = Endpoint::server("[::]:0".parse().unwrap(), identity).unwrap();
    let url = format!("https://localhost:{}/path", common::address(&server).port());
    (server, url)
}

async fn run_as_child(test: &'static str) {
    let folder = issue(test);
    let mut child = Command::new(env::current_exe().unwrap());
    child.arg(test).env(FOLDER, &folder);
    child.env("SSL_CERT_FILE", folder.join(ROOT));
    child.env_remove("SSL_CERT_DIR");
    let ran = tokio::task::spawn_blocking(move || child.output()).await;
    let ran = ran.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

/// A folder with a root, and a certificate that it has issued to `localhost`.
fn issue(test: &str) -> PathBuf {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name
        .push(DnType::CommonName, "a root for tests");
    let root_certificate = root.self_signed(&root_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let issued = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let issued = issued.signed_by(&key, &Issuer::new(root, root_key));

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(ROOT), root_certificate.pem()).unwrap();
    fs::write(folder.join(CHAIN), issued.unwrap().pem()).unwrap();
    fs::write(folder.join(KEY), key.serialize_pem()).unwrap();
    folder
}

const FOLDER: &str = "WT_CONNECTION_CONNECT_FOLDER";
const ROOT: &str = "root.pem";
const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";

//! The name that a server is asked for (SNI).
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::{Arc, Mutex};

use common::bounded::within;
use common::{LOOPBACK, address, target};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tower::ServiceExt;
use wt_connection::{ConnectError, Connector, Endpoint, Target, Trust};

#[tokio::test]
async fn the_server_is_asked_for_the_host_of_the_target() {
    within(async {
        let (server, connector, names) = asked();

        connect(&server, &connector, target(&server)).await.unwrap();

        assert_eq!(names.take(), [Some("localhost".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn the_server_is_asked_for_the_server_name_in_place_of_the_host() {
    within(async {
        let (server, connector, names) = asked();
        let other = target(&server).server_name("other.example");
        let literal = Target::from(address(&server)).server_name("other.example");

        connect(&server, &connector, other).await.unwrap();
        connect(&server, &connector, literal).await.unwrap();

        let other = Some("other.example".to_owned());
        assert_eq!(names.take(), [other.clone(), other]);
    })
    .await;
}

#[tokio::test]
async fn the_server_is_asked_for_no_name_where_the_host_is_an_address() {
    within(async {
        let (server, connector, names) = asked();
        let url = format!("https://{}", address(&server)).parse().unwrap();

        connect(&server, &connector, url).await.unwrap();
        let socket_address = address(&server).into();
        connect(&server, &connector, socket_address).await.unwrap();

        assert_eq!(names.take(), [None, None]);
    })
    .await;
}

#[tokio::test]
async fn the_certificate_must_bear_the_server_name() {
    within(async {
        let (server, connector, names) = asked();
        let stranger = target(&server).server_name("stranger.example");

        let error = connect(&server, &connector, stranger).await.unwrap_err();

        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
        assert_eq!(names.take(), [Some("stranger.example".to_owned())]);
    })
    .await;
}

/// Shows every client the same certificate, and remembers what name each asked for.
#[derive(Debug)]
struct Names {
    certificate: Arc<CertifiedKey>,
    asked: Mutex<Vec<Option<String>>>,
}

impl Names {
    fn take(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        self.asked.lock().unwrap().push(name);
        Some(Arc::clone(&self.certificate))
    }
}

/// A server that remembers names, and a connector that trusts it as `localhost`, `other.example`
/// and by address.
fn asked() -> (Endpoint, Connector, Arc<Names>) {
    let bears = ["localhost", "other.example", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(bears).unwrap();
    let root = made.cert.der().clone();
    let chain = vec![root.clone()];
    let key = made.signing_key.into();
    let provider = common::bare::provider();
    let names = Arc::new(Names {
        certificate: Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap()),
        asked: Mutex::default(),
    });
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(names.clone());
    let server = Endpoint::server(LOOPBACK.parse().unwrap(), tls).unwrap();
    let client = Endpoint::builder().address(LOOPBACK.parse().unwrap());
    let client = client.trust(Trust::roots([root]).unwrap()).bind().unwrap();
    (server, Connector::new(client), names)
}

/// Connects while the server accepts.
async fn connect(
    server: &Endpoint,
    connector: &Connector,
    target: Target,
) -> Result<(), ConnectError> {
    let accept = async { server.accept().await.unwrap().await };
    let (connected, _there) = tokio::join!(connector.clone().oneshot(target), accept);
    connected.map(drop)
}

//! What a handler knows of who asks.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

mod common;

use std::sync::Arc;

use common::bounded::within;
use common::serve::{Served, get, reply, text};
use common::{LOOPBACK, address, target};
use http::{Method, Request};
use rustls::server::WebPkiClientVerifier;
use tower::{ServiceExt, service_fn};
use wt_connection::{Body, Connection, Connector, Endpoint, Identity, Peer, Server, Trust};

#[tokio::test]
async fn a_handler_knows_the_connection_and_the_peer() {
    within(async {
        let served = Served::by(|request: Request<Body>| async move {
            let connection = request.extensions().get::<Connection>().unwrap();
            let peer = request.extensions().get::<Peer>().unwrap();
            assert_eq!(connection.remote_address(), peer.address());
            assert!(peer.certificates().is_empty());
            assert_eq!(request.method(), Method::GET);
            Ok(reply(peer.address().to_string()))
        });
        let socket = Endpoint::builder()
            .address(LOOPBACK.parse().unwrap())
            .trust(Trust::hashes([served.identity.certificate_hash()]))
            .bind()
            .unwrap();
        let connector = Connector::new(socket.clone());
        let client = connector.oneshot(target(&served.endpoint)).await.unwrap();

        let response = get(&client, "/").await.unwrap();

        assert_eq!(text(response).await, address(&socket).to_string());
    })
    .await;
}

#[tokio::test]
async fn a_handler_knows_the_certificate_of_the_client() {
    within(async {
        let client = Identity::self_signed(["localhost"]).unwrap();
        let certificate = client.certificate_chain()[0].clone();
        let (config, trust) = demanding(&client);
        let endpoint = Endpoint::server(LOOPBACK.parse().unwrap(), config).unwrap();
        let target = target(&endpoint);
        let serve = Server::new(endpoint).serve(service_fn(move |request: Request<Body>| {
            let peer = request.extensions().get::<Peer>().unwrap();
            let known = peer.certificates() == [certificate.clone()];
            async move { Ok::<_, std::convert::Infallible>(reply(known.to_string())) }
        }));
        tokio::spawn(serve);
        let socket = Endpoint::builder().address(LOOPBACK.parse().unwrap());
        let socket = socket.trust(trust.client_identity(client)).bind().unwrap();

        let client = Connector::new(socket).oneshot(target).await.unwrap();
        let response = get(&client, "/").await.unwrap();

        assert_eq!(text(response).await, "true");
    })
    .await;
}

/// A configuration that demands a certificate of `client`'s, and what to trust it by.
fn demanding(client: &Identity) -> (rustls::ServerConfig, Trust) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client.certificate_chain()[0].clone()).unwrap();
    let provider = common::bare::provider();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate.clone()], made.signing_key.into())
        .unwrap();
    (config, Trust::roots([certificate]).unwrap())
}

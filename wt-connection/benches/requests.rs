//! What does a GET cost that goes through `Server`, rather than through h3 and h3-quinn by hand?
//!
//! Both serve the same axum router, with the same TLS and QUIC settings, in one runtime, to the
//! same client: h3 by hand, 64 requests in flight on one connection, each answered with 1 KiB that
//! is read to its end and counted. The router sets the `date`, so that both send the same headers.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use h3::server::RequestResolver;
use h3_quinn::OpenStreams;
use http_body_util::BodyExt;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::time::Instant;
use tower::ServiceExt;
use wt_connection::{Endpoint, Limits, Server};

const IN_FLIGHT: usize = 64;
const REQUESTS: usize = 12_800;
const ROUNDS: usize = 11;
const CONTENT: usize = 1024;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let tls = Tls::new();
    let ours = Client::connect(&tls, serve(tls.server())).await;
    let by_hand = Client::connect(&tls, serve_by_hand(tls.server())).await;
    for client in [&ours, &by_hand] {
        client.round().await;
    }

    println!("| round | ours, req/s | h3 by hand, req/s | ratio |");
    println!("| --- | --- | --- | --- |");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        // Whoever comes first in a round comes second in the next one.
        let (ours, by_hand) = if round % 2 == 0 {
            let ours = ours.round().await;
            (ours, by_hand.round().await)
        } else {
            let by_hand = by_hand.round().await;
            (ours.round().await, by_hand)
        };
        let ratio = by_hand.as_secs_f64() / ours.as_secs_f64();
        println!(
            "| {round} | {:.0} | {:.0} | {ratio:.3} |",
            rate(ours),
            rate(by_hand),
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio get_1k/h3_by_hand {:.3}", ratios[ratios.len() / 2]);
}

fn rate(took: Duration) -> f64 {
    REQUESTS as f64 / took.as_secs_f64()
}

fn router() -> Router {
    let content = Bytes::from(vec![7; CONTENT]);
    let date = [(http::header::DATE, "Mon, 23 Nov 2026 12:00:00 GMT")];
    Router::new().route("/content", get(|| async move { (date, content) }))
}

fn serve(quinn: quinn::Endpoint) -> SocketAddr {
    let address = quinn.local_addr().unwrap();
    let endpoint = Endpoint::from_quinn(quinn, Limits::default());
    tokio::spawn(Server::new(endpoint).serve(router()));
    address
}

fn serve_by_hand(quinn: quinn::Endpoint) -> SocketAddr {
    let address = quinn.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = quinn.accept().await {
            tokio::spawn(serve_connection(incoming.await.unwrap()));
        }
    });
    address
}

async fn serve_connection(quinn: quinn::Connection) {
    let router = router();
    let connection = h3_quinn::Connection::new(quinn);
    let mut connection = h3::server::Connection::new(connection).await.unwrap();
    while let Ok(Some(resolver)) = connection.accept().await {
        tokio::spawn(respond(router.clone(), resolver));
    }
}

async fn respond(router: Router, resolver: RequestResolver<h3_quinn::Connection, Bytes>) {
    let (request, mut stream) = resolver.resolve_request().await.unwrap();
    let request = request.map(|()| axum::body::Body::empty());
    let (parts, mut body) = router.oneshot(request).await.unwrap().into_parts();
    let head = http::Response::from_parts(parts, ());
    stream.send_response(head).await.unwrap();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        stream.send_data(data).await.unwrap();
    }
    stream.finish().await.unwrap();
}

/// h3 by hand.
struct Client {
    requests: SendRequest<OpenStreams, Bytes>,
    _endpoint: quinn::Endpoint,
}

impl Client {
    async fn connect(tls: &Tls, server: SocketAddr) -> Self {
        let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(tls.client());
        let quinn = endpoint.connect(server, "localhost").unwrap();
        let connection = h3_quinn::Connection::new(quinn.await.unwrap());
        let (mut driver, requests) = h3::client::new(connection).await.unwrap();
        tokio::spawn(async move { driver.wait_idle().await });
        Self {
            requests,
            _endpoint: endpoint,
        }
    }

    /// How long all requests take.
    async fn round(&self) -> Duration {
        let began = Instant::now();
        let workers: Vec<_> = (0..IN_FLIGHT)
            .map(|_| tokio::spawn(ask(self.requests.clone(), REQUESTS / IN_FLIGHT)))
            .collect();
        let mut received = 0;
        for worker in workers {
            received += worker.await.unwrap();
        }
        assert_eq!(received, REQUESTS * CONTENT);
        began.elapsed()
    }
}

async fn ask(mut requests: SendRequest<OpenStreams, Bytes>, count: usize) -> usize {
    let mut received = 0;
    for _ in 0..count {
        let request = http::Request::get("https://localhost/content");
        let request = request.body(()).unwrap();
        let mut stream = requests.send_request(request).await.unwrap();
        // The server may have answered already, and want no more of the request.
        let _ = stream.finish().await;
        assert_eq!(stream.recv_response().await.unwrap().status(), 200);
        while let Some(data) = stream.recv_data().await.unwrap() {
            received += data.remaining();
        }
    }
    received
}

/// One certificate, and the settings that both servers and all clients have.
struct Tls {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Tls {
    fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            certificate: signed.cert.der().clone(),
            key: PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()),
        }
    }

    fn server(&self) -> quinn::Endpoint {
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key().into())
            .unwrap();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let crypto = QuicServerConfig::try_from(tls).unwrap();
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport());
        quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap()
    }

    fn client(&self) -> quinn::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h3".to_vec()];
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport());
        config
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn transport() -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(256_u32.into());
    Arc::new(transport)
}

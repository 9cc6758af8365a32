//! The examples of servers, as the programs that a user copies from.
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]
#![cfg(unix)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use axum::body::Body;
use axum::http::{Request, Response};
use common::{Example, PATIENCE};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Target, Trust};

#[tokio::test]
async fn the_axum_example_answers_requests_and_echoes_streams() {
    let example = Example::start("axum", &["127.0.0.1:0"]);
    let line = example.line().unwrap();
    let (address, hash) = line
        .strip_prefix("serving ")
        .and_then(|line| line.split_once(", certificate "))
        .unwrap();
    let trust = Trust::hashes([hash.parse().unwrap()]);

    let connection = connect(trust, &format!("https://{address}")).await;
    assert_eq!(get(&connection).await, "hello over HTTP/3\n");
    let session = connection.open("/echo").await.unwrap();
    let mut stream = session.open_bi().await.unwrap();
    stream.send.write_all(b"hello").await.unwrap();
    stream.send.finish().unwrap();
    assert_eq!(stream.recv.read_to_end(10).await.unwrap(), b"hello");
    session.close(0, "");
    session.closed().await;

    example.interrupt();
    let (status, said) = example.end();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert_eq!(said, ["0 connections were cut off"]);
}

#[test]
fn the_readme_shows_the_axum_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("../wt-connection/README.md")).unwrap();
    let example = fs::read_to_string(folder.join("examples/axum.rs")).unwrap();
    let (_, code) = example.split_once("\n\n").unwrap();

    assert!(readme.contains(code), "it differs from examples/axum.rs");
}

#[tokio::test]
async fn alt_svc_leads_from_tcp_to_sessions_under_one_certificate() {
    let files = Files::new();
    let chain = files.path("chain.pem");
    let key = files.path("key.pem");
    let example = Example::start("alt_svc", &["127.0.0.1:0", &chain, &key]);
    let line = example.line().unwrap();
    let port: u16 = line.rsplit_once(':').unwrap().1.parse().unwrap();

    let response = get_over_tcp(port, files.roots()).await;
    let alt_svc = response.headers()["alt-svc"].to_str().unwrap().to_owned();
    let content = response.into_body().collect().await.unwrap().to_bytes();
    assert!(content.ends_with(b" over HTTP/1.1\n"), "{content:?}");
    assert_eq!(alt_svc, format!("h3=\":{port}\"; ma=86400"));

    let connection = connect(files.trust(), &format!("https://localhost:{port}")).await;
    assert!(get(&connection).await.ends_with(" over HTTP/3.0\n"));
    let session = connection.open("/time").await.unwrap();
    timeout(PATIENCE, session.read_datagram())
        .await
        .unwrap()
        .unwrap();

    example.interrupt();
    let end = timeout(PATIENCE, session.closed()).await.unwrap();
    assert_eq!(
        end.close().map(|close| close.reason()),
        Some("closing time")
    );
    let (status, said) = example.end();
    assert_eq!(status.code(), Some(0), "{said:?}");
}

async fn connect(trust: Trust, url: &str) -> Connection {
    let target: Target = url.parse().unwrap();
    let target = target.address(([127, 0, 0, 1], port_of(url)).into());
    let connector = Connector::new(Endpoint::client(trust).unwrap()).connect_timeout(PATIENCE);
    connector.oneshot(target).await.unwrap()
}

fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

async fn get(connection: &Connection) -> String {
    let request = Request::get("/").body(Body::empty()).unwrap();
    let response = connection.http().oneshot(request).await.unwrap();
    let content = response.into_body().collect().await.unwrap();
    String::from_utf8(content.to_bytes().to_vec()).unwrap()
}

async fn get_over_tcp(port: u16, roots: RootCertStore) -> Response<hyper::body::Incoming> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The other socket of the example is bound first.
    let tcp = loop {
        if let Ok(tcp) = TcpStream::connect(("127.0.0.1", port)).await {
            break tcp;
        }
        tokio::task::yield_now().await;
    };
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await;
    let io = TokioIo::new(stream.unwrap());
    let (mut requests, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "localhost");
    let request = request.body(Body::empty()).unwrap();
    requests.send_request(request).await.unwrap()
}

/// A certificate in PEM files, removed with this handle.
struct Files {
    folder: std::path::PathBuf,
    certificate: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = env::temp_dir().join(format!("alt-svc-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("chain.pem"), signed.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
        Self {
            folder,
            certificate: signed.cert.der().clone(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn trust(&self) -> Trust {
        Trust::roots([self.certificate.clone()]).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

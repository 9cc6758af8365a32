//! What does a user of one connection wait for, on loopback?
//!
//! One caller, one thing at a time, a server and a client in one process: a checkout of a warm
//! connection from a pool, a session on a warm connection, a new connection with its session, and a
//! datagram there and back. Each figure is the median of many, and the table has the extremes.
#![allow(clippy::unwrap_used, reason = "a failure here is the bench's")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::runtime::Builder;
use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt};
use wt_connection::{Connection, Connector, Endpoint, Identity, Incoming, Session, Target, Trust};
use wt_pool::PoolLayer;

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let lines = runtime.block_on(async { tokio::spawn(measure()).await.unwrap() });
    println!();
    for line in lines {
        println!("{line}");
    }
}

async fn measure() -> Vec<String> {
    let (connector, target) = world();
    println!("| what | µs, median | least | most |");
    println!("| --- | --- | --- | --- |");
    let connection = connector.clone().oneshot(target.clone()).await.unwrap();
    let checkout = checkout(connector.clone(), target.clone()).await;
    let session = sessions(&connection).await;
    let datagram = datagrams(&connection).await;
    let new = connects(connector, target).await;
    vec![
        format!("value warm_checkout_us {checkout:.3}"),
        format!("value warm_session_ms {:.3}", session / 1000.0),
        format!("value new_connection_ms {:.3}", new / 1000.0),
        format!("value datagram_rtt_ms {:.3}", datagram / 1000.0),
    ]
}

/// Nobody else is there: a thousand checkouts for each figure, as one is too short for the clock.
async fn checkout(connector: Connector, target: Target) -> f64 {
    let pool = PoolLayer::new(4)
        .shared(Connection::max_sessions)
        .layer(connector);
    let service = pool.service(target);
    drop(service.checkout().await.unwrap());
    let mut figures = Vec::new();
    for _ in 0..101 {
        let began = Instant::now();
        for _ in 0..1000 {
            drop(service.checkout().await.unwrap());
        }
        figures.push(began.elapsed() / 1000);
    }
    median("a warm checkout", figures)
}

async fn sessions(connection: &Connection) -> f64 {
    let mut figures = Vec::new();
    for _ in 0..1001 {
        let began = Instant::now();
        let session = connection.open("/").await.unwrap();
        figures.push(began.elapsed());
        session.close(0, "");
        session.closed().await;
    }
    median("a session on a warm connection", figures)
}

async fn connects(connector: Connector, target: Target) -> f64 {
    let mut figures = Vec::new();
    for _ in 0..201 {
        let began = Instant::now();
        let connection = connector.clone().oneshot(target.clone()).await.unwrap();
        let session = connection.open("/").await.unwrap();
        figures.push(began.elapsed());
        drop(session);
        connection.close(0, "").await;
    }
    median("a new connection with its session", figures)
}

async fn datagrams(connection: &Connection) -> f64 {
    let session = connection.open("/").await.unwrap();
    let mut figures = Vec::new();
    while figures.len() < 2001 {
        let began = Instant::now();
        session.send_datagram(b"there and back").unwrap();
        // One may be lost.
        if let Ok(answer) = timeout(Duration::from_secs(1), session.read_datagram()).await {
            assert_eq!(answer.unwrap(), "there and back");
            figures.push(began.elapsed());
        }
    }
    median("a datagram there and back", figures)
}

/// In microseconds.
fn median(what: &str, mut figures: Vec<Duration>) -> f64 {
    figures.sort();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    let (least, most) = (micros(figures[0]), micros(figures[figures.len() - 1]));
    let median = micros(figures[figures.len() / 2]);
    println!("| {what} | {median:.3} | {least:.3} | {most:.3} |");
    median
}

/// One who connects, with whole handshakes, and a server that accepts whoever asks.
fn world() -> (Connector, Target) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = CertificateDer::from(certified.cert);
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.resumption = Resumption::disabled();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let identity = Identity::new(vec![certificate], key.into()).unwrap();
    let server = Endpoint::server((Ipv4Addr::LOCALHOST, 0).into(), identity).unwrap();
    let target = Target::from(server.local_address().unwrap());
    tokio::spawn(async move {
        while let Some(incoming) = server.accept().await {
            tokio::spawn(serve(incoming));
        }
    });
    let client = Endpoint::client(Trust::rustls(tls)).unwrap();
    (Connector::new(client), target)
}

async fn serve(incoming: Incoming) {
    let connection = incoming.await.unwrap();
    while let Ok(request) = connection.accept().await {
        tokio::spawn(async move { echo(request.accept().await.unwrap()).await });
    }
}

async fn echo(session: Session) {
    while let Ok(datagram) = session.read_datagram().await {
        let _ = session.send_datagram(datagram);
    }
}

//! One axum app with one certificate: over TCP, by HTTP/1.1 and HTTP/2, and over UDP, by HTTP/3 and
//! WebTransport on the same port number.
//!
//! A browser comes by TCP, and is told by `Alt-Svc` where HTTP/3 is.
//!
//! ```sh
//! cargo run --release --example alt_svc [ADDRESS [CHAIN.pem KEY.pem]]
//! ```

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{env, io};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{any, get};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use examples::BoxError;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use wt_connection::{Endpoint, Server, Session, WebTransportUpgrade};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (address, tls) = match &arguments[..] {
        [] => ("[::]:4433", self_signed()?),
        [address] => (address.as_str(), self_signed()?),
        [address, chain, key] => (address.as_str(), from_files(chain, key)?),
        _ => return Err("alt_svc [ADDRESS [CHAIN.pem KEY.pem]]".into()),
    };
    let endpoint = Endpoint::server(address.parse()?, tls.clone())?;
    let address = endpoint.local_address()?;
    let shutdown = CancellationToken::new();

    let udp = Server::new(endpoint.clone()).shutdown_on(shutdown.clone().cancelled_owned());
    let udp = udp.serve(app());
    let tcp = serve_tcp(address, tls, shutdown.clone());
    let ctrl_c = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => shutdown.cancel(),
            () = shutdown.cancelled() => {}
        }
    };
    println!("serving https://localhost:{}", address.port());
    let (_, served, ()) = tokio::join!(udp, tcp, ctrl_c);

    endpoint.close(0, "the server shuts down").await;
    Ok(served?)
}

fn app() -> Router {
    Router::new()
        .route("/", get(hello))
        .route("/time", any(time))
}

/// The same handler, however the request has come.
async fn hello(version: Version, ConnectInfo(client): ConnectInfo<SocketAddr>) -> String {
    format!("hello to {client} over {version:?}\n")
}

async fn time(upgrade: WebTransportUpgrade) -> Response {
    upgrade.on_session(tell_time)
}

/// Sends the time as a datagram, each second until the client has enough of it.
async fn tell_time(session: Session) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = session.closed() => return,
            _ = session.draining() => return session.close(0, "closing time"),
            _ = second.tick() => {
                let now = SystemTime::now();
                // One that does not fit, or comes too late, is no loss.
                let _ = session.send_datagram(format!("{now:?}"));
            }
        }
    }
}

/// Serves the app to who does not come by HTTP/3 yet, and tells them of it.
async fn serve_tcp(
    address: SocketAddr,
    mut tls: ServerConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let alt_svc = HeaderValue::try_from(format!("h3=\":{}\"; ma=86400", address.port()))
        .map_err(io::Error::other)?;
    let app = app().layer(map_response(move |mut response: Response| {
        let headers = response.headers_mut();
        headers.insert(header::ALT_SVC, alt_svc.clone());
        ready(response)
    }));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let handle = Handle::new();
    let server = axum_server::bind_rustls(address, RustlsConfig::from_config(Arc::new(tls)))
        .handle(handle.clone())
        .serve(app.into_make_service_with_connect_info::<SocketAddr>());
    let server = async {
        let served = server.await;
        // Whatever has ended this server ends the other one.
        shutdown.cancel();
        served
    };
    let stop = async {
        shutdown.cancelled().await;
        handle.graceful_shutdown(None);
    };
    tokio::join!(server, stop).0
}

fn self_signed() -> Result<ServerConfig, BoxError> {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der())?;
    config(vec![signed.cert.into()], key)
}

fn from_files(chain: &str, key: &str) -> Result<ServerConfig, BoxError> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<_, _>>()?;
    config(chain, PrivateKeyDer::from_pem_file(key)?)
}

/// The TLS settings of both servers, but for ALPN: for QUIC, that is `h3` by itself.
fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, BoxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}

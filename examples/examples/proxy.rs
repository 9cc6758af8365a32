//! A reverse proxy for WebTransport: sessions in, balanced sessions out.
//!
//! ```sh
//! cargo run --release --example proxy -- localhost:4433 localhost:4434
//! ```
//!
//! proxies for these servers on port 4443; it trusts whom the machine trusts, and serves with a
//! certificate of its own. Without arguments, it starts two servers beside itself, opens sessions
//! through itself, and ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{env, future};

use examples::{BoxError, echo, proxy};
use tower::ServiceExt;
use wt_connection::{
    Connections, Connector, Endpoint, Identity, Limits, Origins, Server, Target, Transport, Trust,
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let targets: Vec<Target> = env::args()
        .skip(1)
        .map(|to| to.parse())
        .collect::<Result<_, _>>()?;
    if targets.is_empty() {
        return try_out().await;
    }
    let listen = edge("[::]:4443".parse()?, Identity::self_signed(["localhost"])?)?;
    println!("proxying on {}", listen.local_address()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    serve(listen, Trust::system()?, targets, stop).await
}

/// Where clients come in.
fn edge(address: SocketAddr, identity: Identity) -> Result<Endpoint, BoxError> {
    let limits = Limits::default().max_sessions(OF_ONE_CLIENT);
    let edge = Endpoint::builder().address(address).identity(identity);
    Ok(edge.limits(limits).bind()?)
}

/// Serves until `stop`; then new sessions are refused, and those that are open have half a minute.
async fn serve(
    listen: Endpoint,
    trust: Trust,
    targets: Vec<Target>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BoxError> {
    // A server that falls silent is given up after five seconds.
    let transport = Transport::default()
        .keep_alive_interval(Some(Duration::from_secs(1)))
        .max_idle_timeout(Some(Duration::from_secs(5)));
    let servers = Endpoint::client(trust)?;
    let connector = Connector::new(servers.clone()).transport(transport);

    // No more clients than the servers have room for, if each takes all it may.
    let room = targets.len() * proxy::CONNECTIONS * ON_ONE_CONNECTION;
    let clients = Connections::new().max_connections(room / OF_ONE_CLIENT as usize);
    let app = proxy::app(proxy::client(connector, targets));
    // The servers see the origin and the authority, and decide.
    let server = Server::new(listen.clone()).origins(Origins::any());
    let report = server
        .connections(clients)
        .shutdown_on(stop)
        .serve(app)
        .await;

    println!("{} connections were cut off", report.cut.len());
    listen.close(0, "the proxy shuts down").await;
    servers.close(0, "the proxy shuts down").await;
    Ok(())
}

async fn try_out() -> Result<(), BoxError> {
    let identity = Identity::self_signed(["localhost"])?;
    let trust = Trust::hashes([identity.certificate_hash()]);
    let mut targets = Vec::new();
    for _ in 0..2 {
        let server = Endpoint::server((Ipv4Addr::LOCALHOST, 0).into(), identity.clone())?;
        targets.push(Target::from(server.local_address()?));
        tokio::spawn(echo::serve(server));
    }
    let listen = edge((Ipv4Addr::LOCALHOST, 0).into(), identity)?;
    let address = listen.local_address()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<future::Ready<()>>();
    let stopped = async { drop(stopped.await) };
    let serving = tokio::spawn(serve(listen, trust.clone(), targets, stopped));

    let connector = Connector::new(Endpoint::client(trust)?);
    let connection = connector.oneshot(address.into()).await?;
    for path in ["/one", "/two", "/three", "/four"] {
        let session = connection.open(path).await?;
        let stream = echo::bi(&session, b"hello").await?;
        let datagram = echo::datagram(&session, b"hello").await?;
        println!("{path}: a stream there and back in {stream:?}, a datagram in {datagram:?}");
        session.close(0, "that is all");
        session.closed().await;
    }

    drop(stop);
    serving.await?
}

/// How many sessions a client may have on its connection.
const OF_ONE_CLIENT: u32 = 8;
/// How many sessions a server is known to allow on a connection: the default of ours.
const ON_ONE_CONNECTION: usize = 128;

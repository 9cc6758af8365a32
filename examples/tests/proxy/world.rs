use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use examples::proxy;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt;
use wt_connection::{
    Connection, Connector, Endpoint, Identity, Limits, Origins, SendStream, Server, Session,
    SessionRequest, ShutdownReport, Target, Transport, Trust, WriteError,
};

/// A proxy before some servers, and a client of it.
pub(crate) struct World {
    pub(crate) client: Connection,
    /// The proxy's own end of it.
    pub(crate) proxy: Endpoint,
    /// The proxy's ends of the connections to the servers.
    pub(crate) outward: Endpoint,
    pub(crate) servers: Vec<Backend>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<ShutdownReport>,
}

/// A server of which the test answers the requests.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    requests: Mutex<mpsc::Receiver<SessionRequest>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl World {
    pub(crate) async fn new(servers: usize) -> Self {
        Self::with(servers, limits()).await
    }

    /// With limits of the servers' own.
    pub(crate) async fn with(servers: usize, limits: Limits) -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let servers: Vec<_> = (0..servers)
            .map(|_| Backend::new(identity.clone(), limits))
            .collect();
        let addresses = servers.iter().map(Backend::target).collect();
        Self::between(identity, trust, servers, addresses).await
    }

    /// Before a target that nobody serves.
    pub(crate) async fn without_servers() -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let free = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = Target::from(free.local_addr().unwrap());
        drop(free);
        Self::between(identity, trust, Vec::new(), vec![target]).await
    }

    async fn between(
        identity: Identity,
        trust: Trust,
        servers: Vec<Backend>,
        targets: Vec<Target>,
    ) -> Self {
        let proxy = endpoint(identity, limits());
        let address = proxy.local_address().unwrap();
        let outward = Endpoint::client(trust.clone()).unwrap();
        let connector = Connector::new(outward.clone()).transport(transport());
        let app = proxy::app(proxy::client(connector, targets));
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(proxy.clone())
            .origins(Origins::any())
            .shutdown_timeout(PATIENCE)
            .shutdown_on(async move { drop(stopped.await) });
        let serving = tokio::spawn(server.serve(app));
        let connector = Connector::new(Endpoint::client(trust).unwrap()).transport(transport());
        let client = connector.oneshot(address.into()).await.unwrap();
        Self {
            client,
            proxy,
            outward,
            servers,
            stop: Some(stop),
            serving,
        }
    }

    /// One session, seen by the client and by the server.
    pub(crate) async fn session(&self) -> (Session, Session) {
        self.session_at("/").await
    }

    pub(crate) async fn session_at(&self, path: &str) -> (Session, Session) {
        let accept = async {
            let request = self.servers[0].request().await;
            request.accept().await.unwrap()
        };
        tokio::join!(async { self.client.open(path).await.unwrap() }, accept)
    }

    /// Tells the proxy to shut down.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn stopped(self) -> ShutdownReport {
        soon(self.serving).await.unwrap()
    }
}

impl Backend {
    fn new(identity: Identity, limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let endpoint = {
            let _inside = runtime.enter();
            endpoint(identity, limits)
        };
        let (sender, requests) = mpsc::channel(1024);
        runtime.spawn(accept(endpoint.clone(), sender));
        Self {
            endpoint,
            requests: Mutex::new(requests),
            runtime: Some(runtime),
        }
    }

    fn target(&self) -> Target {
        self.endpoint.local_address().unwrap().into()
    }

    pub(crate) async fn request(&self) -> SessionRequest {
        soon(async { self.requests.lock().await.recv().await.unwrap() }).await
    }

    /// Ends everything that runs for the server, without a word to anybody.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn accept(endpoint: Endpoint, sender: mpsc::Sender<SessionRequest>) {
    while let Some(incoming) = endpoint.accept().await {
        let sender = sender.clone();
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            while let Ok(request) = connection.accept().await {
                if sender.send(request).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn limits() -> Limits {
    Limits::default().max_sessions(256)
}

fn endpoint(identity: Identity, limits: Limits) -> Endpoint {
    Endpoint::builder()
        .address((Ipv4Addr::LOCALHOST, 0).into())
        .identity(identity)
        .transport(transport())
        .limits(limits)
        .bind()
        .unwrap()
}

/// Little room, and so short a silence that a test can wait for it.
fn transport() -> Transport {
    Transport::default()
        .receive_windows(WINDOW, 16 * WINDOW)
        .keep_alive_interval(Some(Duration::from_millis(500)))
        .max_idle_timeout(Some(Duration::from_secs(3)))
}

/// A session between a client and a server of its own, seen by both.
pub(crate) async fn pair() -> (Session, Session) {
    pair_with(limits()).await
}

/// The same, with limits of the server's own.
pub(crate) async fn pair_with(limits: Limits) -> (Session, Session) {
    let identity = Identity::self_signed(["localhost"]).unwrap();
    let trust = Trust::hashes([identity.certificate_hash()]);
    let server = endpoint(identity, limits);
    let target = Target::from(server.local_address().unwrap());
    let connector = Connector::new(Endpoint::client(trust).unwrap());
    let open = async { connector.oneshot(target).await.unwrap().open("/").await };
    let accept = async {
        let connection = server.accept().await.unwrap().await.unwrap();
        connection.accept().await.unwrap().accept().await
    };
    let (client, there) = tokio::join!(open, accept);
    let there = there.unwrap();
    there.hold(server);
    (client.unwrap(), there)
}

/// What must happen, and soon unless the machine is busy.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(PATIENCE, what).await.expect("it never came")
}

/// Waits until the figures say so.
pub(crate) async fn until(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Writes that many bytes, and waits until the peer has them; says how many were taken so far.
pub(crate) fn written(
    mut send: SendStream,
    size: usize,
) -> (
    Arc<AtomicUsize>,
    JoinHandle<Result<Option<u32>, WriteError>>,
) {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = tokio::spawn(async move {
        let chunk = [7; 4096];
        for _ in 0..size / chunk.len() {
            send.write_all(&chunk).await?;
            count.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        send.finish()?;
        send.stopped().await
    });
    (written, writer)
}

/// Waits until the figure has stood still for a second, in which others had their turn, and says
/// what it is.
pub(crate) async fn settled(figure: impl Fn() -> usize) -> usize {
    soon(async {
        let (mut last, mut same) = (figure(), 0);
        while same < 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = figure();
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    })
    .await
}

/// How much of one stream may be on the way on each path.
pub(crate) const WINDOW: u32 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

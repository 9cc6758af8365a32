use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use examples::echo;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wt_connection::{Connector, Endpoint, Identity, Target, Trust};

/// A server that echoes.
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    pub(crate) target: Target,
    pub(crate) serving: JoinHandle<()>,
}

/// Some servers, and one who connects to them.
pub(crate) struct World {
    pub(crate) identity: Identity,
    pub(crate) servers: Vec<Server>,
    pub(crate) connector: Connector,
}

impl World {
    pub(crate) fn new(servers: usize) -> Self {
        let identity = Identity::self_signed(["localhost"]).unwrap();
        let trust = Trust::hashes([identity.certificate_hash()]);
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let servers = (0..servers).map(|_| Server::new(&identity, anywhere));
        let servers = servers.collect();
        let connector = Connector::new(Endpoint::client(trust).unwrap());
        Self {
            identity,
            servers,
            connector,
        }
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        let targets = self.servers.iter().map(|server| server.target.clone());
        targets.collect()
    }
}

impl Server {
    fn new(identity: &Identity, address: SocketAddr) -> Self {
        Self::of(Endpoint::server(address, identity.clone()).unwrap())
    }

    /// Where there was one before; somebody else may have the port for a moment.
    pub(crate) async fn again(identity: &Identity, address: SocketAddr) -> Self {
        soon(async {
            loop {
                if let Ok(endpoint) = Endpoint::server(address, identity.clone()) {
                    return Self::of(endpoint);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    fn of(endpoint: Endpoint) -> Self {
        Self {
            target: endpoint.local_address().unwrap().into(),
            serving: tokio::spawn(echo::serve(endpoint.clone())),
            endpoint,
        }
    }

    /// Ends it; its port is free again.
    pub(crate) async fn end(self) -> SocketAddr {
        let address = self.endpoint.local_address().unwrap();
        self.endpoint.close(0, "that is all").await;
        drop(self.endpoint);
        self.serving.await.unwrap();
        address
    }
}

/// What must happen, and soon unless the machine is busy.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(Duration::from_secs(30), what)
        .await
        .expect("it never came")
}

/// Waits until the figures say so.
pub(crate) async fn until(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A port that nobody serves.
pub(crate) fn dead() -> Target {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap().into()
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

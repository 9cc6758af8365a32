//! A path that fails.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failure here is the test's")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::sleep;
use tower::ServiceExt;
use wt_connection::{Connection, Connector, Endpoint, Limits};

use crate::common::{LOOPBACK, address, connector, server_builder};

/// A path to a server, which can be made to lose everything.
pub(crate) struct Path {
    pub(crate) address: SocketAddr,
    losses: Arc<Losses>,
}

struct Losses {
    all: AtomicBool,
    /// How many packets of the client's still pass.
    passing_up: AtomicUsize,
}

impl Path {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let losses = Arc::new(Losses {
            all: AtomicBool::new(false),
            passing_up: AtomicUsize::new(usize::MAX),
        });
        let lost = Arc::clone(&losses);
        let pass = move |packet: &[u8], way| match lost.passes(way) {
            true => vec![packet.to_vec()],
            false => Vec::new(),
        };
        Self {
            address: stand_between(server, pass).await,
            losses,
        }
    }

    pub(crate) fn swallow(&self) {
        self.losses.all.store(true, Ordering::Relaxed);
    }

    /// Lets so many more packets of the client's pass.
    pub(crate) fn pass_up(&self, packets: usize) {
        self.losses.passing_up.store(packets, Ordering::Relaxed);
    }
}

impl Losses {
    fn passes(&self, way: Way) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let counted = || {
            let passing = &self.passing_up;
            passing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
        };
        !self.all.load(Ordering::Relaxed) && (way == Way::Down || counted().is_ok())
    }
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// Stands between one client and a server: `pass` says what goes on in place of each packet. Gives
/// the address for the client.
pub(crate) async fn stand_between(
    server: SocketAddr,
    mut pass: impl FnMut(&[u8], Way) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let at_once = |packet| (Duration::ZERO, packet);
    delay_between(server, move |packet, way| {
        pass(packet, way).into_iter().map(at_once).collect()
    })
    .await
}

/// As [`stand_between`], where each packet may also go on later.
pub(crate) async fn delay_between(
    server: SocketAddr,
    mut pass: impl FnMut(&[u8], Way) -> Vec<(Duration, Vec<u8>)> + Send + 'static,
) -> SocketAddr {
    let front = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
    let back = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut up, mut down) = ([0; 65_536], [0; 65_536]);
        let mut client = None;
        loop {
            let (packet, way) = tokio::select! {
                Ok((length, from)) = front.recv_from(&mut up) => {
                    client = Some(from);
                    (&up[..length], Way::Up)
                }
                Ok((length, _)) = back.recv_from(&mut down) => (&down[..length], Way::Down),
            };
            let (socket, to) = match (way, client) {
                (Way::Up, _) => (&back, server),
                (Way::Down, Some(client)) => (&front, client),
                (Way::Down, None) => continue,
            };
            for (delay, packet) in pass(packet, way) {
                if delay.is_zero() {
                    let _ = socket.send_to(&packet, to).await;
                    continue;
                }
                let socket = Arc::clone(socket);
                tokio::spawn(async move {
                    sleep(delay).await;
                    let _ = socket.send_to(&packet, to).await;
                });
            }
        }
    });
    address
}

/// A connection whose peer can be made silent.
pub(crate) struct Silent {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) path: Path,
    /// The sockets stay open as long as the connection is of use.
    _endpoints: (Endpoint, Connector),
}

impl Silent {
    pub(crate) async fn connect(limits: Limits) -> Self {
        let (identity, builder) = server_builder();
        let endpoint = builder.bind().unwrap();
        let path = Path::to(address(&endpoint)).await;
        let connector = connector(&identity).limits(limits);
        let connector = connector.max_idle_timeout(Some(Duration::from_secs(2)));
        let accept = async { endpoint.accept().await.unwrap().await.unwrap() };
        let connect = connector.clone().oneshot(path.address.into());
        let (client, server) = tokio::join!(connect, accept);
        Self {
            client: client.unwrap(),
            server,
            path,
            _endpoints: (endpoint, connector),
        }
    }
}

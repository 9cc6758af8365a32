use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// A path to a server that loses, delays, overtakes and doubles packets; it may lose all, and have
/// the client come from another address.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    black: Arc<AtomicBool>,
    /// What the server sees the client come from.
    far: watch::Sender<Arc<UdpSocket>>,
    server: SocketAddr,
    task: AbortHandle,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr, seed: u64) -> Self {
        let near = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
        let address = near.local_addr().unwrap();
        let (far, fars) = watch::channel(connected(server).await);
        let black = Arc::<AtomicBool>::default();
        let path = Path {
            near,
            far: fars,
            black: Arc::clone(&black),
            rng: Rng::with_seed(seed),
            under_way: JoinSet::new(),
        };
        let task = tokio::spawn(path.carry()).abort_handle();
        Self {
            address,
            black,
            far,
            server,
            task,
        }
    }

    /// Loses everything, or no more than before.
    pub(crate) fn black_out(&self, black: bool) {
        self.black.store(black, Ordering::Relaxed);
    }

    /// Has the client come from another address from now on.
    pub(crate) async fn migrate(&self) {
        self.far.send_replace(connected(self.server).await);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connected(server: SocketAddr) -> Arc<UdpSocket> {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    socket.connect(server).await.unwrap();
    Arc::new(socket)
}

/// The packets on their way; no more than so many at once, as in a router.
struct Path {
    near: Arc<UdpSocket>,
    far: watch::Receiver<Arc<UdpSocket>>,
    black: Arc<AtomicBool>,
    rng: Rng,
    under_way: JoinSet<()>,
}

impl Path {
    async fn carry(mut self) {
        let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
        let mut client = None;
        let mut far = self.far.borrow_and_update().clone();
        loop {
            tokio::select! {
                Ok(()) = self.far.changed() => far = self.far.borrow_and_update().clone(),
                Ok((length, from)) = self.near.recv_from(&mut up) => {
                    client = Some(from);
                    self.send(&far.clone(), None, &up[..length]);
                }
                Ok(length) = far.recv(&mut down) => if client.is_some() {
                    self.send(&self.near.clone(), client, &down[..length]);
                },
                Some(_) = self.under_way.join_next() => {}
            }
        }
    }

    /// Sends a packet later; or not at all, or twice.
    fn send(&mut self, by: &Arc<UdpSocket>, to: Option<SocketAddr>, packet: &[u8]) {
        if self.black.load(Ordering::Relaxed) || self.rng.f64() < LOSS {
            return;
        }
        let times = if self.rng.f64() < DOUBLES { 2 } else { 1 };
        for _ in 0..times {
            if self.under_way.len() >= QUEUE {
                return;
            }
            // Whoever has a shorter way overtakes.
            let delay = DELAY - JITTER + 2 * JITTER.mul_f64(self.rng.f64());
            let (by, packet) = (Arc::clone(by), packet.to_vec());
            self.under_way.spawn(async move {
                sleep(delay).await;
                // A server that is gone is heard of here.
                let _ = match to {
                    Some(to) => by.send_to(&packet, to).await,
                    None => by.send(&packet).await,
                };
            });
        }
    }
}

const LOOPBACK: &str = "127.0.0.1:0";
/// In each direction, as everything.
const LOSS: f64 = 0.05;
const DOUBLES: f64 = 0.02;
const DELAY: Duration = Duration::from_millis(30);
const JITTER: Duration = Duration::from_millis(10);
const QUEUE: usize = 10_000;

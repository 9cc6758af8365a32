use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    pub(crate) befallen: Arc<Befallen>,
    black: Arc<AtomicBool>,
    /// What the server sees the client come from.
    far: watch::Sender<Arc<UdpSocket>>,
    server: SocketAddr,
    task: AbortHandle,
}

/// What has befallen packets, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Befallen {
    pub(crate) lost: AtomicU64,
    /// Those of the black-out.
    pub(crate) swallowed: AtomicU64,
    pub(crate) doubled: AtomicU64,
    pub(crate) overtaken: AtomicU64,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr, seed: u64) -> Self {
        let near = Arc::new(UdpSocket::bind(LOOPBACK).await.unwrap());
        let address = near.local_addr().unwrap();
        let (far, fars) = watch::channel(connected(server).await);
        let black = Arc::<AtomicBool>::default();
        let befallen = Arc::<Befallen>::default();
        let path = Path {
            near,
            far: fars,
            black: Arc::clone(&black),
            befallen: Arc::clone(&befallen),
            rng: Rng::with_seed(seed),
            up: Direction::default(),
            down: Direction::default(),
            under_way: JoinSet::new(),
        };
        let task = tokio::spawn(path.carry()).abort_handle();
        Self {
            address,
            befallen,
            black,
            far,
            server,
            task,
        }
    }

    /// Loses all that comes from now on, or no more than before.
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
    befallen: Arc<Befallen>,
    rng: Rng,
    up: Direction,
    down: Direction,
    under_way: JoinSet<()>,
}

/// The order of packets.
#[derive(Default)]
struct Direction {
    /// How many have come.
    came: u64,
    /// The last that came of those that have gone on.
    gone: Arc<AtomicU64>,
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
        if self.black.load(Ordering::Relaxed) {
            self.befallen.swallowed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.rng.f64() < LOSS {
            self.befallen.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let direction = if to.is_some() {
            &mut self.down
        } else {
            &mut self.up
        };
        direction.came += 1;
        let (number, gone) = (direction.came, Arc::clone(&direction.gone));
        let times = if self.rng.f64() < DOUBLES { 2 } else { 1 };
        for time in 0..times {
            if self.under_way.len() >= QUEUE {
                return;
            }
            // Whoever has a shorter way overtakes.
            let delay = DELAY - JITTER + 2 * JITTER.mul_f64(self.rng.f64());
            let (by, packet) = (Arc::clone(by), packet.to_vec());
            let (gone, befallen) = (Arc::clone(&gone), Arc::clone(&self.befallen));
            self.under_way.spawn(async move {
                sleep(delay).await;
                if gone.fetch_max(number, Ordering::Relaxed) > number {
                    befallen.overtaken.fetch_add(1, Ordering::Relaxed);
                }
                if time > 0 {
                    befallen.doubled.fetch_add(1, Ordering::Relaxed);
                }
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

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// A path between one client and a server that delays every packet, and keeps their order.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
}

impl Relay {
    pub(crate) async fn new(server: SocketAddr, delay: Duration) -> Self {
        let near = Arc::new(bind().await);
        let far = Arc::new(bind().await);
        far.connect(server).await.unwrap();
        let address = near.local_addr().unwrap();
        let (to_server, from_client) = mpsc::channel(QUEUE);
        let (to_client, from_server) = mpsc::channel(QUEUE);
        tokio::spawn(receive(Arc::clone(&near), to_server, delay));
        tokio::spawn(receive(Arc::clone(&far), to_client, delay));
        let client = Arc::new(std::sync::OnceLock::new());
        tokio::spawn(deliver_to_server(from_client, far, Arc::clone(&client)));
        tokio::spawn(deliver_to_client(from_server, near, client));
        Self { address }
    }
}

struct Packet {
    due: Instant,
    from: SocketAddr,
    bytes: Vec<u8>,
}

async fn bind() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn receive(socket: Arc<UdpSocket>, queue: mpsc::Sender<Packet>, delay: Duration) {
    let mut buf = vec![0; 65_536];
    // A port that is closed already is heard of here.
    loop {
        let Ok((len, from)) = socket.recv_from(&mut buf).await else {
            continue;
        };
        let packet = Packet {
            due: Instant::now() + delay,
            from,
            bytes: buf[..len].to_vec(),
        };
        if queue.send(packet).await.is_err() {
            return;
        }
    }
}

async fn deliver_to_server(
    mut queue: mpsc::Receiver<Packet>,
    socket: Arc<UdpSocket>,
    client: Arc<std::sync::OnceLock<SocketAddr>>,
) {
    while let Some(packet) = queue.recv().await {
        let _ = client.set(packet.from);
        sleep_until(packet.due).await;
        let _ = socket.send(&packet.bytes).await;
    }
}

async fn deliver_to_client(
    mut queue: mpsc::Receiver<Packet>,
    socket: Arc<UdpSocket>,
    client: Arc<std::sync::OnceLock<SocketAddr>>,
) {
    while let Some(packet) = queue.recv().await {
        sleep_until(packet.due).await;
        if let Some(client) = client.get() {
            let _ = socket.send_to(&packet.bytes, client).await;
        }
    }
}

const QUEUE: usize = 1024;

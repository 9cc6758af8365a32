use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::common::peer::Peer;

/// How many datagrams have arrived.
#[derive(Default)]
pub(crate) struct Count {
    arrived: AtomicUsize,
    progress: Notify,
}

impl Count {
    pub(crate) fn of<P: Peer>(peers: Vec<P>) -> Arc<Self> {
        let count = Arc::new(Self::default());
        for peer in peers {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                while let Some(length) = peer.read_datagram().await {
                    assert_eq!(length, SIZE);
                    let arrived = count.arrived.fetch_add(1, Ordering::Relaxed) + 1;
                    if arrived % STEP == 0 {
                        count.progress.notify_one();
                    }
                }
            });
        }
        count
    }

    fn get(&self) -> usize {
        self.arrived.load(Ordering::Relaxed)
    }
}

/// Sends datagrams of 1,100 bytes one way, and counts those that arrive; gives how many per second.
pub(crate) async fn run<P: Peer>(peers: &[P], count: &Arc<Count>) -> f64 {
    let sending = tokio::spawn(send(peers.to_vec(), Arc::clone(count)));
    sending.await.unwrap()
}

/// Keeps a window of datagrams under way, so that none is lost for want of room.
async fn send<P: Peer>(peers: Vec<P>, count: Arc<Count>) -> f64 {
    let payload = Bytes::from(vec![7; SIZE]);
    let first = count.get();
    let began = Instant::now();
    let mut lost = 0;
    for sent in 0..DATAGRAMS {
        while sent - lost - (count.get() - first) >= WINDOW {
            if timeout(PATIENCE, count.progress.notified()).await.is_err() {
                lost = sent - (count.get() - first);
            }
        }
        peers[sent % peers.len()].send_datagram(&payload);
    }
    while count.get() - first < DATAGRAMS - lost {
        if timeout(PATIENCE, count.progress.notified()).await.is_err() {
            break;
        }
    }
    let took = began.elapsed();
    let arrived = count.get() - first;
    assert!(
        arrived * 100 >= DATAGRAMS * 95,
        "only {arrived} of {DATAGRAMS} datagrams arrived"
    );
    arrived as f64 / took.as_secs_f64()
}

const SIZE: usize = 1100;
const DATAGRAMS: usize = 120_000;
/// How many may be under way: less than the sockets hold.
const WINDOW: usize = 64;
/// How many arrive until the sender looks again.
const STEP: usize = 8;
/// What has not arrived by then is lost.
const PATIENCE: Duration = Duration::from_millis(50);
